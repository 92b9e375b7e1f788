//! All three formats on recorded output and on anything else.

use app::model::{BuildStep, BuildStepState};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const AT: UnixMillis = UnixMillis(1_000);

/// What the reader makes of these chunks: its steps and the lines it says.
fn read(format: Format, chunks: &[&[u8]]) -> (Vec<BuildStep>, Vec<String>) {
    let mut reader = ProgressReader::new(format);
    let mut said = Vec::new();
    for chunk in chunks {
        reader.push(Pipe::Stderr, chunk, AT, |line| said.push(line.to_owned()));
    }
    reader.finish(AT, |line| said.push(line.to_owned()));
    (reader.steps().all().to_vec(), said)
}

fn recorded(name: &str) -> &'static [u8] {
    match name {
        "rawjson-ok" => include_bytes!("recorded/rawjson-ok.txt"),
        "rawjson-cached" => include_bytes!("recorded/rawjson-cached.txt"),
        "rawjson-fail" => include_bytes!("recorded/rawjson-fail.txt"),
        "plain-ok" => include_bytes!("recorded/plain-ok.txt"),
        "plain-cached" => include_bytes!("recorded/plain-cached.txt"),
        "plain-fail" => include_bytes!("recorded/plain-fail.txt"),
        "classic-ok" => include_bytes!("recorded/classic-ok.txt"),
        "classic-cached" => include_bytes!("recorded/classic-cached.txt"),
        "classic-fail" => include_bytes!("recorded/classic-fail.txt"),
        other => panic!("nothing is recorded as {other}"),
    }
}

const FORMATS: [(Format, &str); 3] = [
    (Format::RawJson, "rawjson"),
    (Format::Plain, "plain"),
    (Format::Classic, "classic"),
];

fn instruction<'s>(steps: &'s [BuildStep], name: &str) -> &'s BuildStep {
    steps
        .iter()
        .find(|step| step.name == name)
        .unwrap_or_else(|| panic!("there is a step {name} among {steps:#?}"))
}

#[test]
fn all_formats_tell_the_same_tree() {
    for (format, name) in FORMATS {
        let (steps, said) = read(format, &[recorded(&format!("{name}-ok"))]);
        let copy = instruction(&steps, "COPY h /h");
        assert_eq!(copy.stage.as_deref(), Some("base"), "{name}");
        assert!(matches!(copy.state, BuildStepState::Done { .. }), "{name}");
        let sleep = instruction(&steps, r#"RUN ["/h","sleep","1"]"#);
        assert_eq!(sleep.stage.as_deref(), Some("stage-1"), "{name}");
        if format != Format::Classic {
            assert!(
                matches!(sleep.state, BuildStepState::Done { took_ms } if took_ms >= 1_000),
                "{name}: {sleep:?}"
            );
        }
        assert!(
            said.iter().any(|line| line.ends_with("héllo")),
            "{name}: {said:#?}"
        );
        assert!(
            steps
                .iter()
                .any(|step| step.moved.is_some_and(|moved| moved.done > 0)),
            "{name}: bytes were counted"
        );
        assert!(!steps.iter().any(|step| matches!(
            step.state,
            BuildStepState::Waiting | BuildStepState::Failed { .. }
        )));
    }
}

#[test]
fn what_was_cached_says_so() {
    for (format, name) in FORMATS {
        let (steps, _) = read(format, &[recorded(&format!("{name}-cached"))]);
        for instruction_name in ["COPY h /h", r#"RUN ["/h"]"#, r#"RUN ["/h","sleep","1"]"#] {
            let step = instruction(&steps, instruction_name);
            assert_eq!(
                step.state,
                BuildStepState::Cached,
                "{name}: {instruction_name}"
            );
        }
    }
}

#[test]
fn the_failed_step_is_found_with_what_it_printed() {
    for (format, name) in FORMATS {
        let mut reader = ProgressReader::new(format);
        reader.push(Pipe::Stderr, recorded(&format!("{name}-fail")), AT, |_| {});
        reader.finish(AT, |_| {});
        reader.steps().settle(false, Some("ended"), AT);
        let failed = reader.steps().failed().expect("a step failed");
        assert_eq!(failed.step.name, r#"RUN ["/h","fail"]"#, "{name}");
        assert_eq!(failed.step.stage.as_deref(), Some("tests"), "{name}");
        assert!(failed.why.contains("code: 7"), "{name}: {}", failed.why);
        let output = failed.output.join("\n");
        assert!(
            output.contains("going to fail") && output.contains("error: something"),
            "{name}: {output}"
        );
    }
}

#[test]
fn text_around_the_json_is_kept() {
    let (_, said) = read(Format::RawJson, &[recorded("rawjson-fail")]);
    assert_eq!(
        said.last().map(String::as_str),
        Some("ERROR: failed to solve: executor failed running [/h fail]: exit code: 7")
    );
    for odd in [
        "{\"vertexes\": 7}",
        "{ not json",
        "{\n  \"a\": [\nERROR: x",
        "null",
        "{}",
    ] {
        let (steps, _) = read(Format::RawJson, &[odd.as_bytes()]);
        assert_eq!(steps, [], "{odd}");
    }
    let (_, said) = read(
        Format::RawJson,
        &[b"{\n  \"vertexes\": [\nERROR: broken off\n"],
    );
    assert_eq!(said.last().map(String::as_str), Some("ERROR: broken off"));
}

#[test]
fn one_object_a_line_is_read_like_indented_ones() {
    let compact = br#"{"vertexes":[{"digest":"sha256:a","name":"[1/1] RUN x","started":"2026-08-05T10:00:00Z"}]}
{"logs":[{"vertex":"sha256:a","stream":1,"data":"aMM="},{"vertex":"sha256:a","stream":1,"data":"qWxsbwo="}]}
{"statuses":[{"id":"sha256:1","vertex":"sha256:a","current":5,"total":10},{"id":"sha256:2","vertex":"sha256:a","current":1,"total":2}]}
{"warnings":[{"vertex":"sha256:a","level":1,"short":"Y2FyZWZ1bA=="}]}
{"vertexes":[{"digest":"sha256:a","name":"[1/1] RUN x","started":"2026-08-05T10:00:00Z","completed":"2026-08-05T10:00:02.5Z"}]}
"#;
    let (steps, said) = read(Format::RawJson, &[compact]);
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].state, BuildStepState::Done { took_ms: 2_500 });
    assert_eq!(
        steps[0].moved,
        Some(app::model::Moved {
            done: 6,
            total: Some(12)
        })
    );
    // The character was split between two messages.
    assert!(said.contains(&"#1 héllo".to_owned()), "{said:?}");
    assert!(said.contains(&"WARNING: careful".to_owned()), "{said:?}");
}

#[test]
fn a_sibling_that_was_canceled_is_not_the_failure() {
    let lines = br#"{"vertexes":[{"digest":"a","name":"[1/2] RUN a","started":"2026-08-05T10:00:00Z","completed":"2026-08-05T10:00:01Z","error":"failed to run: context canceled"},{"digest":"b","name":"[2/2] RUN b","started":"2026-08-05T10:00:00Z","completed":"2026-08-05T10:00:01Z","error":"exit code: 2"},{"digest":"c","name":"exporting"}]}"#;
    let mut reader = ProgressReader::new(Format::RawJson);
    reader.push(Pipe::Stderr, lines, AT, |_| {});
    reader.finish(AT, |_| {});
    reader.steps().settle(false, None, AT);
    assert_eq!(
        reader.steps().failed().expect("one failed").step.name,
        "RUN b"
    );
    assert_eq!(reader.steps().all()[0].state, BuildStepState::Stopped);
    assert_eq!(reader.steps().all()[2].state, BuildStepState::Stopped);
}

#[test]
fn a_build_that_broke_off_blames_the_running_step() {
    let mut reader = ProgressReader::new(Format::Plain);
    reader.push(
        Pipe::Stderr,
        b"#1 [1/1] RUN make\n#1 0.1 making\n",
        AT,
        |_| {},
    );
    reader
        .steps()
        .settle(false, Some("the daemon went away"), UnixMillis(3_000));
    let failed = reader.steps().failed().expect("the running one");
    assert_eq!(
        failed.step.state,
        BuildStepState::Failed {
            took_ms: 2_000,
            why: "the daemon went away".into()
        }
    );
    assert_eq!(failed.output, ["making"]);
    assert_eq!(reader.steps().take_changed().len(), 1);
    assert!(reader.steps().take_changed().is_empty());
}

/// Recorded output with some bytes replaced, so that most of it is nearly right.
fn nearly_right() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let names = prop::sample::select(vec![
        (Format::RawJson, "rawjson-ok"),
        (Format::RawJson, "rawjson-fail"),
        (Format::Plain, "plain-fail"),
        (Format::Plain, "plain-cached"),
        (Format::Classic, "classic-fail"),
        (Format::Classic, "classic-cached"),
    ]);
    (
        names,
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    )
        .prop_map(|((format, name), spoils)| {
            let mut bytes = recorded(name).to_vec();
            for (at, byte) in spoils {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            (format, bytes)
        })
}

fn anything() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let formats = prop::sample::select(vec![Format::RawJson, Format::Plain, Format::Classic]);
    (formats, vec(any::<u8>(), 0..400))
}

proptest! {
    #[test]
    fn the_chunks_make_no_difference(
        (format, bytes) in prop_oneof![nearly_right(), anything()],
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(format, &[&bytes]), read(format, &chunks));
    }

    #[test]
    fn sizes_never_break_it(text in "\\PC*") {
        super::super::sizes::parse_bytes(&text);
    }
}
