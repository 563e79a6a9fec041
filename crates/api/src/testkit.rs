//! What holds for any path, for property tests and fuzzing.
#![expect(clippy::panic, reason = "it is for tests")]

use crate::{Paths, segments};

/// Panics unless `path` is outside the API, refused, or names a model that round-trips: written by
/// [`crate::PathModel::rewrite`] it is read again in the same call, and a reader that undoes escapes and dot
/// segments in whatever order sees the same name at the same place.
pub fn check(paths: &Paths, path: &[u8]) {
    let Ok(Some(call)) = paths.call(path) else { return };
    let Some(model) = &call.model else { return };
    let raw = path.get(model.range.clone());
    assert_eq!(raw.and_then(segments::name).as_deref(), Some(model.name.as_str()));
    for reading in segments::readings(segments::without_query(path)) {
        // Beyond ASCII only escaped bytes are read.
        let mut escaped = Vec::new();
        for byte in reading {
            match byte {
                0x80.. => escaped.extend(format!("%{byte:02x}").into_bytes()),
                _ => escaped.push(byte),
            }
        }
        let reading = escaped;
        let Ok(Some(read)) = paths.call(&reading) else { panic!("{reading:?} is no call") };
        assert_eq!(read.model.as_ref().map(|model| &model.name), Some(&model.name));
        assert_eq!((read.endpoint, read.streams), (call.endpoint, call.streams));
    }
    for name in [model.name.as_str(), "other", "a:b", "vendor/m@1"] {
        let rewritten = model.rewrite(path, name);
        let Ok(Some(again)) = paths.call(&rewritten) else { panic!("{rewritten:?} is no call") };
        assert_eq!(again.model.as_ref().map(|model| model.name.as_str()), Some(name));
        assert_eq!((again.endpoint, again.streams), (call.endpoint, call.streams));
        assert_eq!(again.model.map(|model| model.rewrite(&rewritten, name)), Some(rewritten));
    }
}
