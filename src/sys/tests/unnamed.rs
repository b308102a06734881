//! Files without a name, and how they come by one.

use std::fs;
use std::io::{Read, Seek, Write};

use super::super::{link_unnamed, open_unnamed};
use super::folder;

#[test]
fn a_file_without_a_name_may_be_given_one() {
    let folder = folder("sys-unnamed");
    let mut file = open_unnamed(&folder).unwrap();
    file.write_all(b"tick").unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "tick");

    let path = folder.join("named");
    // Not every file system can.
    if link_unnamed(&file, &path).is_ok() {
        assert_eq!(fs::read(&path).unwrap(), b"tick");
        assert!(link_unnamed(&file, &path).is_err(), "it is not free");
    }
    assert!(open_unnamed(&folder.join("none")).is_err());
    fs::remove_dir_all(&folder).unwrap();
}
