//! BuildKit's plain progress, line by line: `#7 [build 2/4] RUN make`.

/// What a line says about the build's steps; most lines say nothing about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildStep {
    /// A numbered step of a stage began: 2 of 4.
    Begins { name: String, at: u64, of: u64 },
    /// A vertex is done or was cached.
    Done,
}

/// Reads one line.
pub fn parse_step(line: &str) -> Option<BuildStep> {
    let rest = line.strip_prefix('#')?;
    let (number, rest) = rest.split_once(' ')?;
    number.parse::<u32>().ok()?;
    if rest == "CACHED" || rest.starts_with("DONE ") {
        return Some(BuildStep::Done);
    }
    let inside = rest.strip_prefix('[')?;
    let (label, name) = inside.split_once(']')?;
    let counter = label.rsplit(' ').next()?;
    let (at, of) = counter.split_once('/')?;
    Some(BuildStep::Begins {
        name: name.trim().to_owned(),
        at: at.parse().ok()?,
        of: of.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_plain_progress() {
        // docker 28.2, buildx 0.24
        let begins = |name: &str, at, of| {
            Some(BuildStep::Begins {
                name: name.to_owned(),
                at,
                of,
            })
        };
        let cases = [
            ("#7 [build 2/4] RUN make", begins("RUN make", 2, 4)),
            ("#9 [1/3] FROM alpine", begins("FROM alpine", 1, 3)),
            ("#7 DONE 1.2s", Some(BuildStep::Done)),
            ("#8 CACHED", Some(BuildStep::Done)),
            ("#1 [internal] load build definition from Dockerfile", None),
            ("#7 0.312 Compiling app", None),
            ("ERROR: failed to build", None),
            ("", None),
        ];
        for (line, step) in cases {
            assert_eq!(parse_step(line), step, "{line}");
        }
    }
}
