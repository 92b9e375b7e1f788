//! Slipway's own diagnosis: rules over facts, no network, always there.
//! NOTE to colleagues: engineer S4 is writing this folder right now (S3: leave assist/** and
//! docs/findings.md to S4, do setup/ and images/ instead). The room is `AssistRoom::new(core, ...)` + `spawn`.
