//! The diagnosis against a real practice cluster: each fault is made there, exactly its own finding
//! comes and lasts, and it goes when the fault is healed. All components are broken at once, because
//! a finding has to last for seconds before it is shown.

mod around;
mod cases;
mod world;

use std::collections::BTreeSet;

use around::{Around, ROUNDS};
use cases::all;
use world::{SPECIAL, SPECIAL_FINDINGS, World};

/// Codes whose fault is another test's to make: its file under `server/tests/it`, and its name.
const ELSEWHERE: [(&str, &str, &str); 1] = [(
    "CLUSTER_UNREACHABLE",
    "clusters/heartbeat.rs",
    "silence_refusal_and_strangers_are_told_apart_and_heal_by_themselves",
)];

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_brings_exactly_its_finding_and_healing_takes_it_away() {
    let cases = all();
    let names: Vec<&str> = cases.iter().map(|case| case.name).chain(SPECIAL).collect();
    let world = World::healthy(&names).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port that is taken");
    let port = taken.local_addr().expect("its address").port();
    for case in &cases {
        world.fault(case).await;
    }
    world.special_faults(port).await;
    let expected = cases.iter().map(|case| case.key());
    let special = SPECIAL_FINDINGS.map(str::to_owned);
    let expected: BTreeSet<String> = expected.chain(special).collect();
    // Until its words are written down, a pod is refused for the reason it is refused with here.
    let on_the_way = cases.iter().filter(|case| case.is_refused());
    let on_the_way = on_the_way
        .map(|case| format!("SERVICE_ACCOUNT_MISSING/component/{}", case.name))
        .collect();
    world.exactly("all faults", &expected, &on_the_way).await;
    for case in &cases {
        world.heal(case).await;
    }
    world.heal_special().await;
    world.well("all faults are healed").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_around_the_components_has_its_finding_until_it_is_healed() {
    let world = World::healthy(&["app", "crowd"]).await;
    for round in ROUNDS {
        let expected = round.iter().map(|around| around.key()).collect();
        let what = format!("{round:?}");
        for around in *round {
            world.break_around(*around).await;
        }
        world.exactly(&what, &expected, &BTreeSet::new()).await;
        for around in *round {
            world.heal_around(*around).await;
        }
        world.well(&format!("{what} healed")).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_project_has_no_finding() {
    let world = World::healthy(&["app", "crowd"]).await;
    let none = BTreeSet::new();
    world.exactly("nothing is broken", &none, &none).await;
    world.end().await;
}

#[test]
fn every_code_has_its_fault_on_a_practice_cluster() {
    let own = all().into_iter().map(|case| case.key());
    let special = SPECIAL_FINDINGS.map(str::to_owned);
    let around = ROUNDS.iter().copied().flatten().map(|around| around.key());
    let mut covered: BTreeSet<String> = own
        .chain(special)
        .chain(around)
        .map(|key| key.split('/').next().unwrap_or_default().to_owned())
        .collect();
    for (code, file, test) in ELSEWHERE {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/it")
            .join(file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        let (_, body) = text
            .split_once(&format!("async fn {test}("))
            .unwrap_or_else(|| panic!("{file} has no test {test}"));
        let body = body.split("\n}\n").next().unwrap_or_default();
        assert!(body.contains(code), "{test} is about {code}");
        assert!(covered.insert(code.to_owned()), "{code} has a case here");
    }
    let known: BTreeSet<String> = server::assist::CODES
        .iter()
        .map(|code| code.code.to_owned())
        .collect();
    assert_eq!(covered, known);
}

/// For the names of rounds in what a failure says.
impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key())
    }
}
