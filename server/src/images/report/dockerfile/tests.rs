use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Instruction {
    let file = parse(text);
    file.instructions
        .into_iter()
        .next()
        .expect("one instruction")
}

#[test]
fn continuation_lines_are_joined_and_keep_their_numbers() {
    let file =
        parse("FROM a\n\n# why\nRUN one \\\n  # inside\n\n  && two \\  \n  && three\nUSER 1\n");
    let run = &file.instructions[1];
    assert_eq!((run.line, run.last_line), (4, 8));
    assert_eq!(
        run.rest.split_whitespace().collect::<Vec<_>>(),
        ["one", "&&", "two", "&&", "three"]
    );
    assert_eq!(file.instructions[2].line, 9);
    assert_eq!(file.problems, []);
}

#[test]
fn the_escape_directive_counts_only_at_the_top() {
    let file =
        parse("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN dir C:\\ `\n  && x\nUSER 1");
    assert_eq!(file.instructions.len(), 3);
    assert_eq!(file.instructions[1].last_line, 5);
    let late = parse("FROM a\n# escape=`\nRUN x `\nUSER 1");
    assert_eq!(late.instructions.len(), 3);
    let comment_first = parse("# hello\n# escape=`\nFROM a\nRUN x \\\n y");
    assert_eq!(comment_first.instructions.len(), 2);
}

#[test]
fn heredocs_belong_to_their_instruction() {
    let file = parse(
        "FROM a\nRUN <<EOF\napt-get update\nUSER not-an-instruction\nEOF\nCOPY <<-'A' <<\"B\" /to/\n\tone\n\tA\ntwo\nB\nUSER 1\n",
    );
    let run = &file.instructions[1];
    assert_eq!(
        run.heredocs[0].body,
        "apt-get update\nUSER not-an-instruction\n"
    );
    assert_eq!((run.line, run.last_line), (2, 5));
    assert_eq!(run.commands()[0].words, ["apt-get", "update"]);
    let copy = &file.instructions[2];
    let bodies: Vec<_> = copy.heredocs.iter().map(|one| one.body.as_str()).collect();
    assert_eq!(bodies, ["one\n", "two\n"]);
    assert_eq!(copy.paths(), Some((vec![], "/to/".to_owned())));
    assert_eq!(file.instructions[3].keyword, "USER");
    // A shift or a here-string is no heredoc.
    assert!(one("RUN echo $((1<<2)) <<< text").heredocs.is_empty());
    assert_eq!(parse("FROM a\nRUN <<EOF\nx").problems.len(), 1);
}

#[test]
fn stages_know_their_images_and_names() {
    let file = parse(
        "ARG TAG=1.2\nARG NONE\nFROM rust:${TAG} AS Build\nRUN x\nFROM build AS test\nFROM --platform=$BUILDPLATFORM ${BASE:-alpine}:$TAG\nCOPY --from=build /a /b\nONBUILD RUN y\nFROM $NONE",
    );
    let stages = file.stages();
    let seen: Vec<_> = stages
        .iter()
        .map(|stage| {
            (
                stage.image.as_str(),
                stage.name.as_deref(),
                stage.instructions.len(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("rust:1.2", Some("build"), 1),
            ("build", Some("test"), 0),
            ("alpine:1.2", None, 2),
            ("$NONE", None, 0),
        ]
    );
    assert_eq!(stages[2].from.flag("platform"), Some("$BUILDPLATFORM"));
    let on_build = &stages[2].instructions[1];
    assert!(on_build.on_build && on_build.keyword == "RUN" && !on_build.is("RUN"));
}

#[test]
fn the_final_image_is_followed_through_its_stages() {
    let file = parse("FROM a AS base\nUSER 7\nFROM b AS other\nUSER 8\nFROM base\nRUN x");
    assert_eq!(file.last("USER").map(|user| user.rest.as_str()), Some("7"));
    assert_eq!(file.last("CMD"), None);
    assert_eq!(file.final_chain().len(), 2);
    // A stage cannot be built upon itself.
    assert_eq!(parse("FROM a AS a\nFROM a AS a").final_chain().len(), 2);
}

#[test]
fn forms_pairs_and_flags_are_read() {
    assert_eq!(
        one("CMD [\"a\", \"b c\"]").exec_form(),
        Some(vec!["a".to_owned(), "b c".to_owned()])
    );
    assert_eq!(one("CMD a b").exec_form(), None);
    assert_eq!(one("CMD [a, b]").exec_form(), None);
    let some = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    assert_eq!(
        one("ENV A=1 B=\"two words\" C=x\\ y").pairs(),
        [some("A", "1"), some("B", "two words"), some("C", "x y")]
    );
    assert_eq!(
        one("ENV A the rest = it").pairs(),
        [some("A", "the rest = it")]
    );
    assert_eq!(one("ARG A").pairs(), [("A".to_owned(), None)]);
    let run = one("RUN --mount=type=cache,target=/x --network=none make all");
    assert_eq!(
        (run.flag("network"), run.rest.as_str()),
        (Some("none"), "make all")
    );
    let copy = one("COPY --from=0 --chown=1:1 a b /c/");
    assert_eq!(
        copy.paths(),
        Some((vec!["a".to_owned(), "b".to_owned()], "/c/".to_owned()))
    );
}

#[test]
fn shell_lines_become_commands() {
    let words = |script: &str| {
        commands(script)
            .into_iter()
            .map(|command| command.words.join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words("set -e; A=1 apt-get update && sudo -E x || echo 'a && b' | grep \"c;d\" # no"),
        [
            "set -e",
            "apt-get update",
            "-E x",
            "echo a && b",
            "grep c;d"
        ]
    );
    assert_eq!(
        words("if [ $(a; b) ]; then c; fi"),
        ["[ $(a; b) ]", "c", "fi"]
    );
    assert_eq!(words("(cd /x && make) 2>&1"), ["cd /x", "make", "2>&1"]);
    let piped = commands("curl x | sh");
    assert!(!piped[0].is_piped_into && piped[1].is_piped_into);
    assert!(commands("sudo ls")[0].with_sudo);
    assert!(commands("/usr/bin/apt-get -y install x")[0].runs("apt-get", "install"));
}

#[test]
fn muting_comments_are_heard() {
    let file = parse(
        "# slipway: ignore-file BASE_LATEST\n# hadolint global ignore=DL4000\nFROM a\n# slipway: ignore CODE_A, CODE_B because\n# hadolint ignore=DL3008,dl3009\nRUN x\nRUN y",
    );
    let set = |codes: &[&str]| {
        codes
            .iter()
            .map(|code| (*code).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(file.muted, set(&["BASE_LATEST", "DL4000"]));
    assert!(
        file.instructions[1]
            .muted
            .is_superset(&set(&["CODE_A", "CODE_B", "DL3008", "DL3009"]))
    );
    assert!(file.instructions[2].muted.is_empty());
}

#[test]
fn what_is_no_dockerfile_is_a_problem_and_not_the_end() {
    let file = parse("HELLO world\nFROM a\nRUNN x\nUSER 1");
    let lines: Vec<_> = file.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3]);
    assert_eq!(file.instructions.len(), 4);
    assert_eq!(parse("").problems.len(), 1);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s)(\\PC|[\n\\\\\"'#<`$\\[{ ]){0,200}") {
        let file = parse(&text);
        for instruction in &file.instructions {
            instruction.pairs();
            instruction.commands();
            instruction.paths();
        }
        file.final_chain();
    }

    /// Instructions stand in order, on lines that exist, begin where they say, and do not overlap.
    #[test]
    fn line_numbers_lead_back_to_the_text(
        parts in prop::collection::vec(prop_oneof![
            Just("FROM a:1 AS b"), Just("RUN one \\\n  two"), Just("# a comment"), Just(""),
            Just("RUN <<EOF\nx\n\nEOF"), Just("RUN a \\\n# in it\n\n b"), Just("ENV A=1 \\"),
            Just("copy . ."), Just("onbuild run x"), Just("USER 1 # not a comment"),
        ], 0..12)
    ) {
        let text = parts.join("\n");
        let file = parse(&text);
        let lines: Vec<&str> = text.lines().collect();
        let mut before = 0;
        for instruction in &file.instructions {
            prop_assert!(instruction.line > before);
            prop_assert!(instruction.last_line >= instruction.line);
            prop_assert!(instruction.last_line as usize <= lines.len());
            let first = lines[instruction.line as usize - 1].trim().to_uppercase();
            let first = first.strip_prefix("ONBUILD ").unwrap_or(&first);
            prop_assert!(first.starts_with(&instruction.keyword), "{} on {}", instruction.keyword, first);
            before = instruction.last_line;
        }
    }
}
