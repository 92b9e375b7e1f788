//! Processes as `/proc` shows them: who belongs to a container, how much memory they hold, and who
//! survived a node that was killed.

use std::collections::{HashMap, HashSet};
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One process's line in `/proc/PID/stat`, as far as we use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub pid: i32,
    pub parent: i32,
    pub session: i32,
    /// Clock ticks since boot: with the ID it names one process for good.
    pub started: u64,
    pub resident_pages: u64,
    /// Processor time of it and of the children it has waited for, in [`tick`]s.
    pub cpu_ticks: u64,
}

/// Every process we can see.
pub fn processes() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .collect()
}

pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(line: &str) -> Option<Stat> {
    let pid = line.split(' ').next()?.parse().ok()?;
    // The name may contain anything, parentheses and spaces included.
    let rest: Vec<&str> = line.get(line.rfind(')')? + 2..)?.split(' ').collect();
    Some(Stat {
        pid,
        parent: rest.get(1)?.parse().ok()?,
        session: rest.get(3)?.parse().ok()?,
        started: rest.get(19)?.parse().ok()?,
        resident_pages: rest.get(21)?.parse().ok()?,
        cpu_ticks: rest
            .get(11..15)?
            .iter()
            // Children's time is signed there.
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum(),
    })
}

/// The processes of the sessions led by `leaders`, with all descendants: leader → members.
pub fn families(leaders: &[i32]) -> HashMap<i32, Vec<Stat>> {
    let all = processes();
    let parents: HashMap<i32, &Stat> = all.iter().map(|stat| (stat.pid, stat)).collect();
    let wanted: HashSet<i32> = leaders.iter().copied().collect();
    let mut families: HashMap<i32, Vec<Stat>> = HashMap::new();
    for stat in &all {
        let mut current = Some(stat);
        for _ in 0..64 {
            let Some(here) = current else { break };
            let leader = [here.pid, here.session]
                .into_iter()
                .find(|id| wanted.contains(id));
            if let Some(leader) = leader {
                families.entry(leader).or_default().push(*stat);
                break;
            }
            current = parents.get(&here.parent).copied();
        }
    }
    families
}

/// Kills every process of the container's session, and every process that carries its marker in
/// the environment (a daemon that left the session keeps the marker).
pub fn kill_family(leader: i32, marker: &str) {
    let needle = marker.as_bytes();
    // Killing is repeated until nobody is left: a process may fork while we look.
    for _ in 0..5 {
        let mut found = false;
        let members = processes()
            .into_iter()
            .filter(|stat| stat.session == leader || has_marker(stat.pid, needle));
        for stat in members {
            if stat.pid != leader && is_alive(stat.pid) {
                found = true;
                let _ = kill(Pid::from_raw(stat.pid), Signal::SIGKILL);
            }
        }
        if !found {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Kills what an earlier node left running. `marker` identifies this state folder's containers.
/// Returns how many processes were found.
pub fn kill_survivors(marker: &str) -> usize {
    let mut killed = HashSet::new();
    for _ in 0..50 {
        let survivors: Vec<i32> = processes()
            .into_iter()
            .map(|stat| stat.pid)
            .filter(|pid| is_alive(*pid) && has_marker(*pid, marker.as_bytes()))
            .collect();
        if survivors.is_empty() {
            break;
        }
        for pid in survivors {
            killed.insert(pid);
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    killed.len()
}

fn has_marker(pid: i32, marker: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|b| *b == 0).any(|entry| entry == marker))
}

fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|line| {
        line.rfind(')')
            .and_then(|at| line.get(at + 2..at + 3))
            .is_some_and(|s| s != "Z" && s != "X")
    })
}

/// What [`Stat::cpu_ticks`] counts.
pub fn tick() -> std::time::Duration {
    let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .and_then(|ticks| u32::try_from(ticks).ok())
        .filter(|ticks| *ticks > 0);
    std::time::Duration::from_secs(1) / a_second.unwrap_or(100)
}

pub fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::{parse_stat, stat};

    #[test]
    fn a_name_with_parentheses_and_spaces_is_no_obstacle() {
        let line =
            "42 (we (ird) x) S 7 42 41 0 -1 4194304 1 0 0 0 5 6 7 -1 20 0 1 0 999 1000 55 18";
        let stat = parse_stat(line).unwrap();
        assert_eq!(
            (stat.parent, stat.session, stat.started, stat.resident_pages),
            (7, 41, 999, 55)
        );
        assert_eq!(stat.cpu_ticks, 18);
    }

    #[test]
    fn this_process_is_there() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(stat(me).unwrap().resident_pages > 0);
    }
}
