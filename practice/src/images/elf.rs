//! What a dynamically linked ELF program needs at run time: its interpreter and, transitively, its
//! shared libraries, found the way the dynamic loader would find them on this machine.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

/// Why a program's libraries could not be determined.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    #[error("read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("understand {path} as a program: {source}")]
    Parse {
        path: PathBuf,
        source: object::read::Error,
    },
    #[error("find the library {library}, which {needed_by} needs")]
    MissingLibrary { library: String, needed_by: PathBuf },
}

/// The run-time needs of one or more programs.
#[derive(Debug, Default)]
pub(super) struct Closure {
    /// Path in the image → file on this machine.
    pub files: BTreeMap<String, PathBuf>,
}

#[derive(Debug, Default)]
struct Needs {
    interpreter: Option<String>,
    libraries: Vec<String>,
    /// Search folders the program names itself, `$ORIGIN` already replaced.
    run_paths: Vec<PathBuf>,
    class_and_machine: (u8, u16),
}

/// Libraries programs load at run time without naming them: name lookup and thread cancellation.
const LOADED_LATER: [&str; 4] = [
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libresolv.so.2",
    "libgcc_s.so.1",
];

/// True when the file starts like an ELF file.
pub(super) fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok()
        && magic == *b"\x7fELF"
}

impl Closure {
    /// Adds the interpreter and libraries of `program`. A static program adds nothing.
    pub(super) fn add(&mut self, program: &Path) -> Result<(), ElfError> {
        let first = read_needs(program)?;
        let Some(interpreter) = first.interpreter.clone() else {
            return Ok(());
        };
        let musl = interpreter.contains("ld-musl");
        self.files
            .insert(interpreter.clone(), PathBuf::from(&interpreter));
        let search = system_folders();
        let wanted_kind = first.class_and_machine;
        // Everything goes where the loader looks without configuration: beside the C library.
        let home = search
            .iter()
            .find(|folder| {
                let libc = folder.join("libc.so.6");
                libc.exists() && read_needs(&libc).is_ok_and(|n| n.class_and_machine == wanted_kind)
            })
            .cloned()
            .unwrap_or_else(|| PathBuf::from("/lib"));
        let mut pending: VecDeque<(String, PathBuf, Vec<PathBuf>)> = first
            .libraries
            .iter()
            .map(|library| (library.clone(), program.to_owned(), first.run_paths.clone()))
            .collect();
        if !musl {
            pending
                .extend(LOADED_LATER.map(|name| (name.to_owned(), program.to_owned(), Vec::new())));
        }
        let mut seen = std::collections::HashSet::new();
        while let Some((library, needed_by, run_paths)) = pending.pop_front() {
            if Path::new(&interpreter).file_name() == Path::new(&library).file_name()
                || (musl && library.starts_with("libc."))
                || !seen.insert(library.clone())
            {
                continue;
            }
            let found = run_paths
                .iter()
                .chain(&search)
                .map(|folder| folder.join(&library))
                .find(|candidate| {
                    read_needs(candidate).is_ok_and(|n| n.class_and_machine == wanted_kind)
                });
            let Some(found) = found else {
                if LOADED_LATER.contains(&library.as_str()) {
                    continue;
                }
                return Err(ElfError::MissingLibrary { library, needed_by });
            };
            let needs = read_needs(&found)?;
            let mut inherited = needs.run_paths;
            inherited.extend(run_paths);
            pending.extend(
                needs
                    .libraries
                    .into_iter()
                    .map(|next| (next, found.clone(), inherited.clone())),
            );
            self.files
                .insert(home.join(&library).to_string_lossy().into_owned(), found);
        }
        Ok(())
    }
}

fn read_needs(path: &Path) -> Result<Needs, ElfError> {
    let data = fs::read(path).map_err(|source| ElfError::Read {
        path: path.to_owned(),
        source,
    })?;
    let parse = |source| ElfError::Parse {
        path: path.to_owned(),
        source,
    };
    let origin = path.parent().unwrap_or(Path::new("/")).to_owned();
    match FileKind::parse(data.as_slice()).map_err(parse)? {
        FileKind::Elf64 => needs::<elf::FileHeader64<Endianness>>(&data, &origin, 2).map_err(parse),
        FileKind::Elf32 => needs::<elf::FileHeader32<Endianness>>(&data, &origin, 1).map_err(parse),
        _ => Ok(Needs::default()),
    }
}

fn needs<H: FileHeader<Endian = Endianness>>(
    data: &[u8],
    origin: &Path,
    class: u8,
) -> object::read::Result<Needs> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let mut result = Needs {
        class_and_machine: (class, header.e_machine(endian)),
        ..Needs::default()
    };
    let segments = header.program_headers(endian, data)?;
    for segment in segments {
        if let Some(name) = segment.interpreter(endian, data)? {
            result.interpreter = Some(String::from_utf8_lossy(name).into_owned());
        }
    }
    for segment in segments {
        let Some(entries) = segment.dynamic(endian, data)? else {
            continue;
        };
        let value = |tag| {
            entries
                .iter()
                .find(|entry| entry.tag(endian) == tag)
                .map(|entry| entry.val(endian))
        };
        let (Some(strings_at), Some(strings_size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ))
        else {
            continue;
        };
        let strings: u64 = strings_at;
        let Some(table) = segments.iter().find_map(|load| {
            load.data_range(endian, data, strings, strings_size)
                .ok()
                .flatten()
        }) else {
            continue;
        };
        let text = |offset: u64| -> Option<String> {
            let rest = table.get(usize::try_from(offset).ok()?..)?;
            let end = rest.iter().position(|b| *b == 0)?;
            Some(String::from_utf8_lossy(&rest[..end]).into_owned())
        };
        for entry in entries {
            let (tag, value) = (entry.tag(endian), entry.val(endian));
            if tag == elf::DT_NEEDED {
                result.libraries.extend(text(value));
            } else if tag == elf::DT_RUNPATH || tag == elf::DT_RPATH {
                let paths = text(value).unwrap_or_default();
                result
                    .run_paths
                    .extend(paths.split(':').filter(|p| !p.is_empty()).map(|p| {
                        let origin = origin.to_string_lossy();
                        PathBuf::from(p.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin))
                    }));
            }
        }
    }
    Ok(result)
}

/// The folders the dynamic loader searches on this machine: `ld.so.conf`, then the built-in ones.
fn system_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    read_conf(Path::new("/etc/ld.so.conf"), &mut folders, 0);
    let arch = std::env::consts::ARCH;
    folders.extend(
        [
            format!("/lib/{arch}-linux-gnu"),
            format!("/usr/lib/{arch}-linux-gnu"),
            "/lib64".into(),
            "/usr/lib64".into(),
            "/lib".into(),
            "/usr/lib".into(),
        ]
        .map(PathBuf::from),
    );
    folders
}

fn read_conf(path: &Path, folders: &mut Vec<PathBuf>, depth: usize) {
    let Ok(text) = fs::read_to_string(path) else {
        return;
    };
    for line in text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
    {
        if let Some(pattern) = line.strip_prefix("include ") {
            // Only the usual `folder/*.conf` form is in use.
            let pattern = Path::new(pattern.trim());
            let (Some(folder), true) = (pattern.parent(), depth < 4) else {
                continue;
            };
            let mut files: Vec<PathBuf> = fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|file| file.extension().is_some_and(|e| e == "conf"))
                .collect();
            files.sort();
            for file in files {
                read_conf(&file, folders, depth + 1);
            }
        } else if line.starts_with('/') {
            folders.push(PathBuf::from(line));
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::Closure;

    #[test]
    fn the_closure_of_a_dynamic_program_is_what_the_loader_maps() {
        let program = std::env::current_exe().unwrap();
        let mut closure = Closure::default();
        closure.add(&program).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapped: std::collections::BTreeSet<String> = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5))
            .filter(|path| path.contains(".so"))
            .filter_map(|path| Path::new(path).file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        assert!(
            !mapped.is_empty(),
            "this test program is dynamically linked"
        );
        for library in mapped {
            assert!(
                closure
                    .files
                    .iter()
                    .any(|(path, host)| path.ends_with(&library)
                        || std::fs::canonicalize(host).is_ok_and(|real| real.ends_with(&library))),
                "{library} is mapped but not in the closure {:?}",
                closure.files.keys()
            );
        }
    }
}
