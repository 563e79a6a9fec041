//! Bodies as clients wrote them to a server that recorded them; those of browsers, Go, .NET, Dart,
//! OkHttp and older releases by their sources and documentation.

use super::*;

/// Client, boundary, and the body: `¶` is a line break, `◊` is `--` and the boundary.
const BODIES: &[(&str, &str, &str)] = &[
    (
        "curl 7.88",
        "------------------------53f56f10dbc6719b",
        "◊¶Content-Disposition: form-data; name=\"file\"; filename=\"a b%22ü.wav\"¶\
         Content-Type: application/octet-stream¶¶RIFF¶--\0¶¶◊¶Content-Disposition: form-data; \
         name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: form-data; name=\"stream\"¶¶true¶◊--¶",
    ),
    (
        "curl before 7.81, which escapes with a backslash",
        "------------------------9b2",
        "◊¶Content-Disposition: form-data; name=\"file\"; filename=\"a\\\"b\\\\.wav\"¶\
         Content-Type: application/octet-stream¶¶RIFF¶◊¶Content-Disposition: form-data; \
         name=\"model\"¶¶whisper-1¶◊--¶",
    ),
    (
        "requests 2.34",
        "aae24120c54ad6841dbf94ced841a87b",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: \
         form-data; name=\"file\"; filename=\"a b%22ü.wav\"¶¶RIFF¶--¶¶◊--¶",
    ),
    (
        "an older requests, for a file name that is not ASCII",
        "c0ffee",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: \
         form-data; name=\"file\"; filename*=utf-8''%C3%BC.wav¶¶RIFF¶◊--¶",
    ),
    (
        "httpx 0.28",
        "5c7f3eadb8aabaa82a683f3571f8bce1",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: \
         form-data; name=\"stream\"¶¶true¶◊¶Content-Disposition: form-data; name=\"file\"; \
         filename=\"a b%22ü.wav\"¶Content-Type: audio/x-wav¶¶RIFF¶--¶¶◊--¶",
    ),
    (
        "openai for Python, a transcription",
        "dd88d5747b631b624b70aba4ab655b89",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: \
         form-data; name=\"timestamp_granularities[]\"¶¶word¶◊¶Content-Disposition: form-data; \
         name=\"file\"; filename=\"a b%22ü.wav\"¶Content-Type: audio/x-wav¶¶RIFF¶¶◊--¶",
    ),
    (
        "openai for Python, an edit of two images",
        "eff66f82f97ca458036c51651fd06a61",
        "◊¶Content-Disposition: form-data; name=\"prompt\"¶¶p¶◊¶Content-Disposition: form-data; \
         name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: form-data; name=\"image[]\"; \
         filename=\"a.png\"¶Content-Type: image/png¶¶1¶◊¶Content-Disposition: form-data; \
         name=\"image[]\"; filename=\"b.png\"¶Content-Type: image/png¶¶2¶◊--¶",
    ),
    (
        "Node 20 (undici), which openai for JavaScript uses",
        "----formdata-undici-065274016268",
        "◊¶Content-Disposition: form-data; name=\"file\"; filename=\"a b%22ü%0A.wav\"¶\
         Content-Type: audio/wav¶¶R¶--¶◊¶Content-Disposition: form-data; name=\"model\"¶¶\
         whisper-1¶◊--¶",
    ),
    (
        "an older undici, which ends without a line break",
        "----formdata-undici-0652",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊--",
    ),
    (
        "form-data 4",
        "--------------------------fd4fe53a1d72f33d28a3c1a9",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: \
         form-data; name=\"file\"; filename=\"a b%22ü.wav\"¶Content-Type: audio/wav¶¶R¶--¶◊--¶",
    ),
    (
        "Chrome",
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "◊¶Content-Disposition: form-data; name=\"file\"; filename=\"C:\\fakepath\\a.webm\"¶\
         Content-Type: audio/webm¶¶\u{1a}E¶◊¶Content-Disposition: form-data; name=\"model\"¶¶\
         whisper-1¶◊--¶",
    ),
    (
        "Firefox, without a file",
        "---------------------------9051914041544843365972754266",
        "◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊¶Content-Disposition: \
         form-data; name=\"file\"; filename=\"\"¶Content-Type: application/octet-stream¶¶¶◊--¶",
    ),
    (
        "Go",
        "f8cdd2e0ab0f1fd1fb1a3d3d4d3e1cf4e1d6d9f6f2b3c1d5c3a2d8e9f012",
        "◊¶Content-Disposition: form-data; name=\"file\"; filename=\"a\\\\b\\\"c.wav\"¶\
         Content-Type: application/octet-stream¶¶RIFF¶◊¶Content-Disposition: form-data; \
         name=\"model\"¶¶whisper-1¶◊--¶",
    ),
    (
        ".NET",
        "a5d7c9b2-15f4-4b4a-8f0e-0b6a7e9f6f0c",
        "◊¶Content-Type: text/plain; charset=utf-8¶Content-Disposition: form-data; name=model¶¶\
         whisper-1¶◊¶Content-Type: audio/wav¶Content-Disposition: form-data; name=file; \
         filename=a.wav; filename*=utf-8''a.wav¶¶RIFF¶◊--¶",
    ),
    (
        "Dart",
        "dart-http-boundary-Fg+h._z",
        "◊¶content-disposition: form-data; name=\"model\"¶content-type: text/plain; \
         charset=utf-8¶content-transfer-encoding: binary¶¶whisper-1¶◊¶content-type: \
         application/octet-stream¶content-disposition: form-data; name=\"file\"; \
         filename=\"a.wav\"¶¶RIFF¶◊--¶",
    ),
    (
        "OkHttp with Retrofit",
        "9a7f0a3e-6f0c-4e7c-a2b1-3d1c8f5b7a90",
        "◊¶Content-Disposition: form-data; name=\"model\"¶Content-Transfer-Encoding: binary¶\
         Content-Type: text/plain; charset=UTF-8¶Content-Length: 9¶¶whisper-1¶◊--¶",
    ),
    (
        "Node's request, with a line break in front",
        "--------------------------316",
        "¶◊¶Content-Disposition: form-data; name=\"model\"¶¶whisper-1¶◊--",
    ),
];

#[test]
fn bodies_of_clients_are_read_in_any_cut() {
    for (client, boundary, body) in BODIES {
        let body = body.replace('¶', "\r\n").replace('◊', &format!("--{boundary}"));
        let fields = scan_all_ways(&of(boundary), Limits::default(), body.as_bytes());
        let fields = fields.unwrap_or_else(|error| panic!("{client}: {error}"));
        let model = &fields[0];
        assert_eq!((model.count, model.exact, model.is_file), (1, 1, false), "{client}");
        assert_eq!(model.text(), Some("whisper-1"), "{client}");
        let at = body.find("whisper-1").unwrap();
        assert_eq!(model.range, Some(at..at + 9), "{client}");
        let stream = body.contains("name=\"stream\"").then_some("true");
        assert_eq!(fields[1].text(), stream, "{client}");
    }
}

#[test]
fn a_model_sent_as_a_file_is_marked() {
    // requests with `files={"model": "whisper-1"}`.
    let body = "--c0ffee\r\nContent-Disposition: form-data; name=\"model\"; filename=\"model\"\r\n\r\n\
                whisper-1\r\n--c0ffee--\r\n";
    let fields = scan_all_ways(&of("c0ffee"), Limits::default(), body.as_bytes()).unwrap();
    assert!(fields[0].is_file);
}
