//! What the last lines of a log give away. Only what the words themselves say.

use app::model::StepId;

use super::code::{Code, TOLD};

pub static DEPENDENCY_NOT_FOUND: Code = Code {
    code: "DEPENDENCY_NOT_FOUND",
    what: "A program ends, or says that it is not ready, because it cannot find a host by its name.",
    why: "The host in a connection string or URL is misspelt, is of another namespace, or the cluster's name server does not know it.",
    next: "Correct the host: on the Secrets page if it is in a secret, else in the manifest. A Service of the same namespace is reached by its name alone.",
    ..TOLD
};

pub static DEPENDENCY_UNREACHABLE: Code = Code {
    code: "DEPENDENCY_UNREACHABLE",
    what: "A program ends, or says that it is not ready, because it cannot connect to something it needs.",
    why: "Nothing listens at that host and port, it is not up yet, or a firewall or network policy is in between. `localhost` inside a pod is the pod itself.",
    next: "See whether the dependency runs and whether host and port are right; a database's connection string can be tried out on the Secrets page.",
    ..TOLD
};

pub static CERTIFICATE_REFUSED: Code = Code {
    code: "CERTIFICATE_REFUSED",
    what: "A program ends, or says that it is not ready, because it does not trust a server's certificate.",
    why: "The certificate is self-signed, has ended or is for another host, or the image has no root certificates.",
    next: "Install `ca-certificates` in the image, mount the authority that signed it, or correct the host name or `sslmode`.",
    ..TOLD
};

pub static CREDENTIALS_REFUSED: Code = Code {
    code: "CREDENTIALS_REFUSED",
    what: "A program ends, or says that it is not ready, because its credentials are refused.",
    why: "User, password or key in its secret are wrong, ended or were changed at the other side.",
    next: "Try the value out on the Secrets page, enter the right one, and restart the pods.",
    ..TOLD
};

pub static DATABASE_NOT_PREPARED: Code = Code {
    code: "DATABASE_NOT_PREPARED",
    what: "A program ends, or says that it is not ready, because its database lacks tables or is not there.",
    why: "The migrations did not run, ran against another database, or the connection string names another database.",
    next: "Run the project's migrations against this database, or correct the database's name on the Secrets page.",
    ..TOLD
};

pub static SETTING_MISSING: Code = Code {
    code: "SETTING_MISSING",
    what: "A program ends because a setting is missing in its environment.",
    why: "Neither the manifest nor a Secret or ConfigMap gives it the variable, or under another name.",
    next: "Add the variable the log names to the manifest, or to `slipway.toml` as a secret, then deploy.",
    ..TOLD
};

pub static LIBRARY_MISSING: Code = Code {
    code: "LIBRARY_MISSING",
    what: "A program ends because a module or shared library is not in its image.",
    why: "It was not installed or copied into the final stage of the Dockerfile, or was built for another version of the base image.",
    next: "Add it to the Dockerfile's last stage, then build and deploy.",
    ..TOLD
};

pub static PORT_TAKEN: Code = Code {
    code: "PORT_TAKEN",
    what: "A program ends because its port is taken.",
    why: "Another container of the pod, or a process of the same program, listens there; with `hostNetwork` anything on the node.",
    next: "Give each container of the pod a port of its own, and correct Service and probes with it.",
    ..TOLD
};

pub static PORT_NOT_ALLOWED: Code = Code {
    code: "PORT_NOT_ALLOWED",
    what: "A program ends because it may not listen on its port.",
    why: "Ports below 1024 are for root, and the container runs as another user.",
    next: "Listen on a port of 1024 or more, and correct `containerPort`, Service and probes with it.",
    ..TOLD
};

pub static FILE_NOT_WRITABLE: Code = Code {
    code: "FILE_NOT_WRITABLE",
    what: "A program ends because it may not write or read a file.",
    why: "The container's files are read-only (`readOnlyRootFilesystem`), or belong to another user than it runs as.",
    next: "Mount an `emptyDir` where it writes, or set `fsGroup`, or change the owner in the Dockerfile.",
    ..TOLD
};

pub static STORAGE_FULL: Code = Code {
    code: "STORAGE_FULL",
    what: "A program ends because there is no space left where it writes.",
    why: "The volume's size limit, the claim or the node's disk is used up.",
    next: "Raise the volume's limit, or make space on the node (`minikube ssh -- df -h`).",
    ..TOLD
};

/// A cause that a line tells.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub code: &'static Code,
    /// The cause as a sentence's beginning: `It cannot find the host of something it needs`.
    pub cause: &'static str,
    pub step: StepId,
    pub line: &'a str,
}

impl Told<'_> {
    /// `It cannot find …: "the line"`.
    pub fn sentence(&self) -> String {
        let line = self.line.trim();
        let end = line
            .char_indices()
            .nth(200)
            .map_or(line.len(), |(at, _)| at);
        let dots = if end < line.len() { "…" } else { "" };
        format!("{}: \"{}{dots}\".", self.cause, &line[..end])
    }

    /// Something outside the container: a running program may wait for it as well.
    pub fn is_about_dependency(&self) -> bool {
        matches!(
            self.code.code,
            "DEPENDENCY_NOT_FOUND"
                | "DEPENDENCY_UNREACHABLE"
                | "CERTIFICATE_REFUSED"
                | "CREDENTIALS_REFUSED"
                | "DATABASE_NOT_PREPARED"
        )
    }
}

struct Words {
    code: &'static Code,
    cause: &'static str,
    step: StepId,
    any: &'static [&'static str],
}

/// The more special first.
static WORDS: [Words; 11] = [
    Words {
        code: &PORT_NOT_ALLOWED,
        cause: "It may not listen on its port",
        step: StepId::Deploy,
        any: &[
            "bind: permission denied",
            "listen eacces",
            "bind() to 0.0.0.0:80 failed",
        ],
    },
    Words {
        code: &PORT_TAKEN,
        cause: "Its port is taken inside the pod",
        step: StepId::Deploy,
        any: &["address already in use", "eaddrinuse", "address in use"],
    },
    Words {
        code: &STORAGE_FULL,
        cause: "There is no space left where it writes",
        step: StepId::Deploy,
        any: &["no space left on device", "enospc", "disk quota exceeded"],
    },
    Words {
        code: &LIBRARY_MISSING,
        cause: "Something it was built with is not in its image",
        step: StepId::Images,
        any: &[
            "error while loading shared libraries",
            "error loading shared library",
            "modulenotfounderror",
            "no module named",
            "cannot find module",
            "err_module_not_found",
            "noclassdeffounderror",
            "classnotfoundexception",
            "version `glibc",
        ],
    },
    Words {
        code: &CREDENTIALS_REFUSED,
        cause: "It was refused with the credentials it has",
        step: StepId::Secrets,
        any: &[
            "password authentication failed",
            "authentication failed",
            "access denied for user",
            "invalid api key",
            "incorrect api key",
            "invalid_api_key",
            "wrongpass",
            "noauth authentication required",
            "401 unauthorized",
            "status code 401",
        ],
    },
    Words {
        code: &CERTIFICATE_REFUSED,
        cause: "It does not trust the certificate of something it needs",
        step: StepId::Secrets,
        any: &[
            "certificate verify failed",
            "self-signed certificate",
            "self signed certificate",
            "unable to get local issuer certificate",
            "unable to verify the first certificate",
            "x509: ",
            "unknownissuer",
            "invalid peer certificate",
            "certificate has expired",
        ],
    },
    Words {
        code: &DEPENDENCY_NOT_FOUND,
        cause: "It cannot find the host of something it needs",
        step: StepId::Secrets,
        any: &[
            "could not translate host name",
            "name or service not known",
            "failed to lookup address",
            "no such host",
            "enotfound",
            "getaddrinfo",
            "temporary failure in name resolution",
            "name does not resolve",
            "nodename nor servname",
            "unknownhostexception",
        ],
    },
    Words {
        code: &DATABASE_NOT_PREPARED,
        cause: "Its database is not as it needs it",
        step: StepId::Secrets,
        any: &["no such table", "undefinedtable", "undefined table"],
    },
    Words {
        code: &DEPENDENCY_UNREACHABLE,
        cause: "It cannot reach something it needs",
        step: StepId::Secrets,
        any: &[
            "connection refused",
            "econnrefused",
            "could not connect to",
            "connection timed out",
            "etimedout",
            "no route to host",
            "network is unreachable",
            "error trying to connect",
        ],
    },
    Words {
        code: &FILE_NOT_WRITABLE,
        cause: "It may not touch a file it needs",
        step: StepId::Deploy,
        any: &[
            "read-only file system",
            "erofs",
            "permission denied",
            "eacces",
        ],
    },
    Words {
        code: &SETTING_MISSING,
        cause: "It misses a setting",
        step: StepId::Secrets,
        any: &[
            "is not set",
            "missing environment variable",
            "missing required environment variable",
            "environment variable not found",
            "environment variable is required",
            "must be set",
        ],
    },
];

/// The cause that the newest telling line tells.
pub fn told_by(lines: &[String]) -> Option<Told<'_>> {
    lines.iter().rev().find_map(|line| {
        let lower = line.to_ascii_lowercase();
        let told = |words: &'static Words| Told {
            code: words.code,
            cause: words.cause,
            step: words.step,
            line,
        };
        if lacks_relation(&lower) {
            return WORDS
                .iter()
                .find(|words| words.code.code == DATABASE_NOT_PREPARED.code)
                .map(told);
        }
        WORDS
            .iter()
            .find(|words| words.any.iter().any(|needle| lower.contains(needle)))
            .map(told)
    })
}

/// `relation "todos" does not exist`, `database "todo" does not exist`, as Postgres says it.
fn lacks_relation(lower: &str) -> bool {
    ["relation \"", "database \"", "table \""]
        .iter()
        .any(|kind| {
            lower
                .split_once(kind)
                .and_then(|(_, rest)| rest.split_once('"'))
                .is_some_and(|(_, rest)| rest.trim_start().starts_with("does not exist"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(lines: &[&str]) -> Option<&'static str> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        told_by(&lines).map(|told| told.code.code)
    }

    #[test]
    fn log_lines_of_well_known_programs_are_read() {
        for (line, expected) in [
            (
                "psycopg2.OperationalError: could not translate host name \"db\" to address: Name or service not known",
                "DEPENDENCY_NOT_FOUND",
            ),
            (
                "Error: getaddrinfo ENOTFOUND db.example",
                "DEPENDENCY_NOT_FOUND",
            ),
            (
                "error communicating with database: failed to lookup address information: Name or service not known",
                "DEPENDENCY_NOT_FOUND",
            ),
            (
                "connection to server at \"10.0.0.1\", port 5432 failed: Connection refused",
                "DEPENDENCY_UNREACHABLE",
            ),
            (
                "Error: connect ECONNREFUSED 127.0.0.1:6379",
                "DEPENDENCY_UNREACHABLE",
            ),
            (
                "FATAL:  password authentication failed for user \"todo\"",
                "CREDENTIALS_REFUSED",
            ),
            (
                "openai.AuthenticationError: Incorrect API key provided",
                "CREDENTIALS_REFUSED",
            ),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "CERTIFICATE_REFUSED",
            ),
            (
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
                "CERTIFICATE_REFUSED",
            ),
            (
                "ERROR:  relation \"todos\" does not exist at character 15",
                "DATABASE_NOT_PREPARED",
            ),
            (
                "sqlite3.OperationalError: no such table: todos",
                "DATABASE_NOT_PREPARED",
            ),
            (
                "FATAL:  database \"todo\" does not exist",
                "DATABASE_NOT_PREPARED",
            ),
            ("error: DATABASE_URL is not set", "SETTING_MISSING"),
            (
                "./app: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory",
                "LIBRARY_MISSING",
            ),
            ("Error: Cannot find module 'express'", "LIBRARY_MISSING"),
            ("OSError: [Errno 98] Address already in use", "PORT_TAKEN"),
            (
                "listen tcp :80: bind: permission denied",
                "PORT_NOT_ALLOWED",
            ),
            (
                "OSError: [Errno 30] Read-only file system: '/app/cache'",
                "FILE_NOT_WRITABLE",
            ),
            ("write /data/x: no space left on device", "STORAGE_FULL"),
        ] {
            assert_eq!(code(&[line]), Some(expected), "{line}");
        }
    }

    #[test]
    fn the_newest_telling_line_counts_and_others_tell_nothing() {
        assert_eq!(
            code(&[
                "Error: connection refused",
                "FATAL: password authentication failed",
                "exiting"
            ]),
            Some("CREDENTIALS_REFUSED")
        );
        assert_eq!(code(&["starting", "listening on 8000"]), None);
        assert_eq!(code(&["thread 'main' panicked at src/main.rs:3"]), None);
        assert_eq!(code(&[]), None);
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let lines = vec![format!("connection refused {}", "ä".repeat(400))];
        let sentence = told_by(&lines).expect("told").sentence();
        assert!(sentence.ends_with("…\".") && sentence.chars().count() < 260);
    }
}
