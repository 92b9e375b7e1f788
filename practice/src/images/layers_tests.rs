//! Layers: whiteouts, links and attempts to write outside the root.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use super::{LayerError, apply_layer, check_layer};

enum Member<'a> {
    File(&'a str, &'a str),
    Dir(&'a str),
    Symlink(&'a str, &'a str),
    Hardlink(&'a str, &'a str),
}

/// Writes names raw, so that hostile ones reach the reader unchanged.
fn layer(members: &[Member<'_>]) -> Cursor<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = tar::Header::new_ustar();
        let (name, kind, target, content) = match member {
            Member::File(name, content) => (*name, tar::EntryType::Regular, "", *content),
            Member::Dir(name) => (*name, tar::EntryType::Directory, "", ""),
            Member::Symlink(name, target) => (*name, tar::EntryType::Symlink, *target, ""),
            Member::Hardlink(name, target) => (*name, tar::EntryType::Link, *target, ""),
        };
        let raw = header.as_old_mut();
        raw.name[..name.len()].copy_from_slice(name.as_bytes());
        raw.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(if matches!(member, Member::Dir(_)) {
            0o755
        } else {
            0o644
        });
        header.set_uid(nix::unistd::geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    Cursor::new(builder.into_inner().unwrap())
}

fn read(root: &Path, name: &str) -> Option<String> {
    fs::read_to_string(root.join(name)).ok()
}

#[test]
fn a_whiteout_hides_what_a_lower_layer_brought() {
    let root = tempfile::tempdir().unwrap();
    apply_layer(
        layer(&[Member::File("a/one", "1"), Member::File("a/two", "2")]),
        root.path(),
    )
    .unwrap();
    apply_layer(layer(&[Member::File("a/.wh.one", "")]), root.path()).unwrap();
    assert_eq!(read(root.path(), "a/one"), None);
    assert_eq!(read(root.path(), "a/two").as_deref(), Some("2"));
}

#[test]
fn an_opaque_marker_keeps_only_what_its_own_layer_brings() {
    let root = tempfile::tempdir().unwrap();
    apply_layer(layer(&[Member::File("a/old", "1")]), root.path()).unwrap();
    apply_layer(
        layer(&[
            Member::File("a/new", "2"),
            Member::File("a/.wh..wh..opq", ""),
        ]),
        root.path(),
    )
    .unwrap();
    assert_eq!(read(root.path(), "a/old"), None);
    assert_eq!(read(root.path(), "a/new").as_deref(), Some("2"));
}

#[test]
fn a_path_that_climbs_out_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let hostile = || layer(&[Member::File("../escaped", "x")]);
    assert!(matches!(
        check_layer(hostile()),
        Err(LayerError::Escapes(_))
    ));
    assert!(matches!(
        apply_layer(hostile(), root.path()),
        Err(LayerError::Escapes(_))
    ));
    assert!(!root.path().parent().unwrap().join("escaped").exists());
}

#[test]
fn a_link_to_the_outside_never_carries_a_write_there() {
    let outside = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    apply_layer(
        layer(&[
            Member::Symlink("door", target),
            Member::File("door/planted", "x"),
        ]),
        root.path(),
    )
    .unwrap();
    assert!(!outside.path().join("planted").exists());
    let landed = root
        .path()
        .join(target.trim_start_matches('/'))
        .join("planted");
    assert!(
        landed.exists(),
        "the write lands inside the root, where a chroot would put it"
    );
}

#[test]
fn a_hard_link_to_the_outside_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let hostile = layer(&[Member::Hardlink("x", "../../etc/passwd")]);
    assert!(matches!(
        apply_layer(hostile, root.path()),
        Err(LayerError::Escapes(_))
    ));
}

#[test]
fn links_inside_the_image_work() {
    let root = tempfile::tempdir().unwrap();
    apply_layer(
        layer(&[
            Member::Dir("usr/lib"),
            Member::Symlink("lib", "usr/lib"),
            Member::File("lib/libx", "x"),
            Member::Hardlink("liby", "usr/lib/libx"),
        ]),
        root.path(),
    )
    .unwrap();
    assert_eq!(read(root.path(), "usr/lib/libx").as_deref(), Some("x"));
    assert_eq!(read(root.path(), "liby").as_deref(), Some("x"));
}
