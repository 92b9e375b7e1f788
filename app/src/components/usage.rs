//! What a container uses, as two small curves against what it asks for and may take.

use leptos::prelude::*;

use super::age::Age;
use crate::live::Live;
use crate::model::{Bounds, ContainerUsage, Metrics, Slice};
use crate::ui::CommandBlock;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

/// The curves of one container; nothing where nothing is measured. `pod` is its UID.
#[component]
pub fn Usage(pod: String, container: String) -> impl IntoView {
    let live = Live::expect();
    let usage = live.memo(&[Slice::Metrics], move |state| match &state.metrics {
        Metrics::Measured(all) => {
            let of_pod = all.get(&pod)?;
            of_pod
                .iter()
                .find(|usage| usage.container == container)
                .cloned()
        }
        Metrics::Unknown | Metrics::Absent(_) => None,
    });
    // Nobody measures any more, or the page hears nothing of it.
    let is_old = Memo::new(move |_| {
        let age = |usage: &ContainerUsage| live.now().since(usage.measured);
        let is_late = |usage: &ContainerUsage| age(usage) > ContainerUsage::OLD_AFTER_MS;
        !live.stream_is_fresh() || usage.with(|usage| usage.as_ref().is_some_and(is_late))
    });
    move || usage.get().map(|usage| curves(usage, is_old))
}

fn curves(usage: ContainerUsage, is_old: Memo<bool>) -> AnyView {
    let measured = usage.measured;
    view! {
        <ul
            class="usages"
            class:usages-old=is_old
            aria-label=format!("Usage of {}", usage.container)
        >
            <Curve title="CPU" values=usage.cpu_millis bounds=usage.cpu words=cpu is_old />
            <Curve
                title="Memory"
                values=usage.memory_kib
                bounds=usage.memory
                words=memory
                is_old
            />
            <Show when=move || is_old.get()>
                <li class="usage-age">"Measured " <Age at=measured /></li>
            </Show>
        </ul>
    }
    .into_any()
}

fn cpu(millis: u32) -> String {
    format!("{millis}m")
}

/// As manifests have it.
fn memory(kib: u32) -> String {
    let mib = f64::from(kib) / 1024.0;
    if mib < 1024.0 {
        format!("{mib:.0}Mi")
    } else {
        format!("{:.1}Gi", mib / 1024.0)
    }
}

#[component]
fn Curve(
    title: &'static str,
    values: Vec<u32>,
    bounds: Bounds,
    words: fn(u32) -> String,
    is_old: Memo<bool>,
) -> impl IntoView {
    let now = values.last().copied().unwrap_or(0);
    let top = top(&values, bounds);
    let against = against(bounds, words);
    let is_near = bounds.limit.is_some_and(|limit| now >= limit / 10 * 9);
    let line = |value: Option<u32>, look: &'static str| {
        value.map(|value| {
            let level = format!("M0 {:.1} H{WIDTH}", height_of(value, top));
            view! { <path class=look d=level /> }
        })
    };
    view! {
        <li class="usage">
            <span class="usage-title">{title}</span>
            <svg
                class="usage-curve"
                viewBox=format!("0 0 {WIDTH} {HEIGHT}")
                preserveAspectRatio="none"
                aria-hidden="true"
            >
                {line(bounds.limit, "usage-limit")}
                {line(bounds.request, "usage-request")}
                <path class="usage-line" d=curve(&values, top) />
            </svg>
            <span class="usage-now">
                {move || is_old.get().then_some("was ")} {words(now)}
            </span>
            <span class="usage-against">
                {against} {move || (is_near && !is_old.get()).then_some(", near its limit")}
            </span>
        </li>
    }
    .into_any()
}

fn against(bounds: Bounds, words: fn(u32) -> String) -> String {
    match (bounds.request, bounds.limit) {
        (None, None) => "no request, no limit".to_owned(),
        (Some(request), None) => format!("asks for {}, no limit", words(request)),
        (None, Some(limit)) => format!("limit {}", words(limit)),
        (Some(request), Some(limit)) => {
            format!("asks for {}, limit {}", words(request), words(limit))
        }
    }
}

/// The value at the upper edge: so that the limit is in the picture, or else all values are.
fn top(values: &[u32], bounds: Bounds) -> u32 {
    let most = values.iter().copied().max().unwrap_or(0);
    let bound = bounds.limit.or(bounds.request).unwrap_or(0);
    most.max(bound).max(1)
}

fn height_of(value: u32, top: u32) -> f64 {
    // A line at the very edge would be cut in half.
    let room = HEIGHT - 3.0;
    1.5 + room * (1.0 - f64::from(value.min(top)) / f64::from(top))
}

/// The newest value is at the right edge; the picture is as wide as ten minutes.
fn curve(values: &[u32], top: u32) -> String {
    let step = WIDTH / (ContainerUsage::KEPT - 1) as f64;
    let first = ContainerUsage::KEPT - values.len().min(ContainerUsage::KEPT);
    let mut path = String::new();
    for (at, value) in values.iter().take(ContainerUsage::KEPT).enumerate() {
        let x = (first + at) as f64 * step;
        let word = if at == 0 { 'M' } else { 'L' };
        path.push_str(&format!("{word}{x:.1} {:.1} ", height_of(*value, top)));
    }
    if values.len() == 1 {
        // A single point would not be seen.
        path.push_str("h-1");
    }
    path
}

/// Why there are no curves, and what would bring them.
#[component]
pub fn NoUsage() -> impl IntoView {
    let live = Live::expect();
    let absent = live.memo(&[Slice::Metrics], |state| match &state.metrics {
        Metrics::Absent(absent) => Some(absent.clone()),
        Metrics::Unknown | Metrics::Measured(_) => None,
    });
    move || {
        absent.get().map(|absent| {
            view! {
                <div class="no-usage">
                    <p>{format!("No CPU and memory curves: {}.", absent.why)}</p>
                    {absent.enable.map(|command| view! { <CommandBlock command /> })}
                </div>
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stay_in_their_picture_and_say_what_bounds_them() {
        let bounds = Bounds {
            request: Some(100),
            limit: Some(500),
        };
        assert_eq!(top(&[600, 2], bounds), 600);
        assert_eq!(top(&[], Bounds::default()), 1);
        assert_eq!(memory(128 << 10), "128Mi");
        assert_eq!(against(bounds, cpu), "asks for 100m, limit 500m");
        for value in [0, 1, 600, u32::MAX] {
            let y = height_of(value, 600);
            assert!((0.0..=HEIGHT).contains(&y), "{y}");
        }
        let path = curve(&[0, 600], 600);
        assert!(
            path.starts_with('M') && path.contains(&format!("L{WIDTH:.1} 1.5")),
            "{path}"
        );
        assert_eq!(curve(&[], 1), "");
    }
}
