//! Packed images: the same input gives the same digest, and what is packed comes out again.

use std::fs;

use super::{PackError, PackFile, PackSpec, content_tag, pack};
use crate::images::ImageStore;

fn spec(dir: &std::path::Path) -> PackSpec {
    let binary = dir.join("app");
    fs::write(&binary, "#!/bin/true\n").unwrap();
    let assets = dir.join("assets");
    fs::create_dir_all(&assets).unwrap();
    fs::write(assets.join("b.txt"), "b").unwrap();
    fs::write(assets.join("a.txt"), "a").unwrap();
    PackSpec {
        binary,
        files: vec![PackFile {
            source: assets,
            dest: "/srv/assets".into(),
        }],
        exposed_ports: vec![8000],
        env: [("MODE".to_owned(), "test".to_owned())].into(),
        ..PackSpec::default()
    }
}

#[test]
fn the_same_input_gives_the_same_image() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = pack(&spec(one.path()), &mut |_| {}).unwrap();
    let second = pack(&spec(two.path()), &mut |_| {}).unwrap();
    assert_eq!(first.id(), second.id());
    assert_eq!(first.manifest_digest(), second.manifest_digest());
    assert_eq!(first.tag().len(), 12);
    assert_eq!(first.tag(), content_tag(&second.id()));
}

#[test]
fn other_content_gives_another_image() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path());
    let before = pack(&spec, &mut |_| {}).unwrap().id();
    fs::write(&spec.binary, "#!/bin/false\n").unwrap();
    assert_ne!(pack(&spec, &mut |_| {}).unwrap().id(), before);
}

#[test]
fn an_archive_imports_as_the_image_it_was_packed_from() {
    let dir = tempfile::tempdir().unwrap();
    let image = pack(&spec(dir.path()), &mut |_| {}).unwrap();
    let mut archive = Vec::new();
    image.write_archive(&mut archive, "todo:dev").unwrap();
    let store = ImageStore::open(dir.path().join("practice/images")).unwrap();
    let record = store.import_reader(archive.as_slice()).unwrap();
    assert_eq!(record.id, image.id());
    assert_eq!(record.manifest_digest, image.manifest_digest());
    assert_eq!(record.size_bytes, image.size_bytes());
    assert_eq!(store.resolve("library/todo:dev").unwrap().unwrap(), record);
    assert_eq!(record.config.exposed_ports, ["8000/tcp"]);
    assert_eq!(record.config.user, "65532:65532");

    let root = store.cached_rootfs(&record).unwrap();
    assert_eq!(
        fs::read_to_string(root.join("srv/assets/a.txt")).unwrap(),
        "a"
    );
    assert!(
        fs::read_to_string(root.join("etc/passwd"))
            .unwrap()
            .contains("nonroot")
    );
}

#[test]
fn a_name_moves_to_the_image_stored_last_and_removal_drops_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = ImageStore::open(dir.path().join("practice/images")).unwrap();
    let spec = spec(dir.path());
    let names = ["todo:dev".to_owned()];
    let first = pack(&spec, &mut |_| {})
        .unwrap()
        .store_in(&store, &names)
        .unwrap();
    fs::write(&spec.binary, "changed").unwrap();
    let second = pack(&spec, &mut |_| {})
        .unwrap()
        .store_in(&store, &names)
        .unwrap();
    assert_eq!(store.resolve("todo:dev").unwrap().unwrap().id, second.id);
    assert_eq!(
        store.resolve(&first.id).unwrap().unwrap().refs,
        Vec::<String>::new()
    );
    assert!(store.remove("todo:dev").unwrap());
    assert!(store.resolve("todo:dev").unwrap().is_none());
    assert!(!store.remove("todo:dev").unwrap());
}

#[test]
fn a_destination_that_climbs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path());
    spec.files[0].dest = "/srv/../../etc".into();
    assert!(matches!(
        pack(&spec, &mut |_| {}),
        Err(PackError::Destination(_))
    ));
}

#[test]
fn a_tampered_blob_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    builder
        .append_data(
            &mut header,
            format!("blobs/sha256/{}", "a".repeat(64)),
            &b"evil"[..],
        )
        .unwrap();
    let archive = builder.into_inner().unwrap();
    let store = ImageStore::open(dir.path().join("images")).unwrap();
    let error = store.import_reader(archive.as_slice()).unwrap_err();
    assert!(error.to_string().contains("digest"), "{error}");
}
