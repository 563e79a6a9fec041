//! The servers of callouts, called over HTTP/2 as Envoy calls them, and their book.

use super::book::messages;
use super::*;
use crate::plan::CalloutAnswer;

#[test]
fn messages_lose_their_prefix() {
    let two = [&b"hi"[..], b""];
    assert_eq!(messages(b"\0\0\0\0\x02hi\0\0\0\0\0"), (two.to_vec(), true));
    assert_eq!(messages(b"\0\0\0\0\x05by"), (vec![&b"by"[..]], false));
    assert_eq!(messages(b"\0\0\0"), (vec![], false));
    assert_eq!(messages(b""), (vec![], true));
}

fn callout(answer: CalloutAnswer) -> Callout {
    Callout { answer, delay_nanos: 0 }
}

fn http(status: u16, body: &[u8], trailers: &[(&str, &str)]) -> Callout {
    let of = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    callout(CalloutAnswer::Http {
        status,
        headers: vec![("x-a".into(), vec![0xff])],
        body: body.to_vec(),
        trailers: trailers.iter().map(of).collect(),
    })
}

fn grpc(status: u8, message: &str, messages: &[&[u8]]) -> Callout {
    callout(CalloutAnswer::Grpc {
        status,
        message: message.into(),
        initial_metadata: vec![],
        messages: messages.iter().map(|message| message.to_vec()).collect(),
        trailing_metadata: vec![("x-t".into(), b"t".to_vec())],
    })
}

/// What a caller gets.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
    trailers: http::HeaderMap,
    reset: Option<h2::Reason>,
}

/// Calls the cluster, for each body once, one after the other on one connection.
fn call(clusters: &Clusters, kind: &str, bodies: &[&[u8]]) -> Vec<Answer> {
    let port = clusters.ports()["auth"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut send, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for body in bodies {
            let request = http::Request::post("http://auth.test/check?a").header("x-b", "c");
            let request = request.header("content-type", kind).body(()).unwrap();
            let (answer, mut stream) = send.send_request(request, false).unwrap();
            stream.send_data(Bytes::copy_from_slice(body), true).unwrap();
            answers.push(match answer.await {
                Ok(answer) => read(answer).await,
                Err(error) => Answer { reset: error.reason(), ..Answer::default() },
            });
            send = send.ready().await.unwrap();
        }
        answers
    })
}

async fn read(answer: http::Response<h2::RecvStream>) -> Answer {
    let (head, mut stream) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        body.extend_from_slice(&piece.unwrap());
    }
    let trailers = stream.trailers().await.unwrap().unwrap_or_default();
    let (status, headers) = (head.status.as_u16(), head.headers);
    Answer { status, headers, body, trailers, reset: None }
}

fn scripted(answers: Vec<Callout>) -> Clusters {
    Clusters::start(&[("auth".to_owned(), answers)].into()).unwrap()
}

/// Waits for what is on its way.
fn arrive(clusters: &Clusters) {
    while !clusters.is_settled() {
        thread::sleep(POLL);
    }
}

#[test]
fn calls_that_never_arrive_are_waited_for_once() {
    let mut clusters = scripted(vec![http(200, b"", &[])]);
    let made = || Ok(vec![Count { arrived: 1, open: 0 }]);
    let start = Instant::now();
    let most = Duration::from_millis(50);
    clusters.wait(most, made).unwrap();
    assert!(start.elapsed() >= most);
    let start = Instant::now();
    clusters.wait(Duration::from_secs(60), made).unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn answers_come_in_order_and_then_there_is_nobody() {
    let script = vec![
        http(200, b"yes", &[]),
        http(403, b"", &[("x-t", "t")]),
        callout(CalloutAnswer::Reset),
    ];
    let clusters = scripted(script);
    let answers = call(&clusters, "text/plain", &[b"1", b"2", b"3", b"4"]);
    assert_eq!((answers[0].status, &*answers[0].body), (200, &b"yes"[..]));
    assert_eq!(answers[0].headers["x-a"].as_bytes(), [0xff]);
    assert_eq!(answers[0].headers.len(), 1);
    assert_eq!((answers[1].status, &*answers[1].body), (403, &b""[..]));
    assert_eq!(answers[1].trailers["x-t"], "t");
    assert_eq!(answers[2].reset, Some(h2::Reason::INTERNAL_ERROR));
    assert_eq!((answers[3].status, &*answers[3].body), (503, &b"no healthy upstream"[..]));
    arrive(&clusters);
    let remarks = clusters.remarks();
    assert_eq!((remarks.len(), &*remarks[0].level), (1, "warn"));
    assert!(
        remarks[0].message.starts_with("callouts.auth: this is call 4, but there are 3 answers")
    );
    let calls = clusters.take().unwrap();
    let bodies: Vec<_> = calls.iter().map(|call| call.body.as_deref().unwrap()).collect();
    assert_eq!(bodies, ["1", "2", "3", "4"]);
    let CalloutRequest { cluster, method, path, headers, .. } = &calls[0];
    assert_eq!((&**cluster, &**method, &**path), ("auth", "POST", "/check?a"));
    let headers: Vec<_> = headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(headers, [("host", "auth.test"), ("x-b", "c"), ("content-type", "text/plain")]);
    assert!(clusters.take().unwrap().is_empty());
}

#[test]
fn grpc_is_framed_and_a_bare_status_is_headers_only() {
    let clusters = scripted(vec![grpc(0, "", &[b"a", b""]), grpc(7, "not 100% you", &[])]);
    let request = b"\0\0\0\0\x02hi";
    let answers = call(&clusters, "application/grpc", &[request, request, request]);
    assert_eq!(answers[0].body, b"\0\0\0\0\x01a\0\0\0\0\0");
    assert_eq!(answers[0].trailers["grpc-status"], "0");
    assert_eq!(answers[0].trailers["x-t"], "t");
    assert_eq!(answers[0].headers["content-type"], "application/grpc");
    assert_eq!(answers[1].headers["grpc-status"], "7");
    assert_eq!(answers[1].headers["grpc-message"], "not 100%25 you");
    assert_eq!(answers[1].headers["x-t"], "t");
    assert_eq!(answers[2].headers["grpc-status"], "14");
    assert_eq!(answers[2].headers["grpc-message"], "no healthy upstream");
    arrive(&clusters);
    let bodies: Vec<_> = clusters.take().unwrap().into_iter().map(|call| call.body).collect();
    assert_eq!(bodies, vec![Some("hi".to_owned()); 3]);
}

#[test]
fn an_answer_that_is_no_message_stops_the_run() {
    for (name, value, complaint) in [
        ("x-bad", "a\nb", "cannot be the value of `x-bad`"),
        ("x bad", "a", "`x bad` is not the name of a header"),
        ("connection", "close", "malformed"),
    ] {
        let mut answer = http(200, b"", &[]);
        if let CalloutAnswer::Http { headers, .. } = &mut answer.answer {
            headers.push((name.into(), value.into()));
        }
        let clusters = scripted(vec![answer]);
        call(&clusters, "text/plain", &[b""]);
        let error = clusters.take().unwrap_err().to_string();
        assert!(error.contains("`callouts.auth`") && error.contains(complaint), "{error}");
    }
}

#[test]
fn a_call_is_counted_until_it_is_answered() {
    let never = callout(CalloutAnswer::Never);
    let clusters = scripted(vec![never]);
    let port = clusters.ports()["auth"];
    assert_eq!(clusters.counts(), [Count::default()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut send, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let (answer, _) = send.send_request(http::Request::new(()), true).unwrap();
        while clusters.counts() != [Count { arrived: 1, open: 1 }] {
            tokio::time::sleep(POLL).await;
        }
        assert!(clusters.is_settled(), "nobody waits for what never comes");
        drop(answer);
        while clusters.counts() != [Count { arrived: 1, open: 0 }] {
            tokio::time::sleep(POLL).await;
        }
    });
}

#[test]
fn calls_over_the_limit_stop_the_run() {
    let book: Arc<Mutex<Book>> = Arc::default();
    let script = Script::new("auth", vec![], Arc::clone(&book));
    let (head, ()) = http::Request::post("http://auth.test/").body(()).unwrap().into_parts();
    let (index, _) = script.arrived(&head).unwrap();
    let piece = Bytes::from(vec![0; 16 << 20]);
    assert!((0..4).all(|_| script.keep(index, &piece)));
    assert_eq!(locked(&book).take().unwrap().len(), 1);
    // What is given out counts no more, and what comes of it later is not kept.
    assert!((0..8).all(|_| script.keep(index, &piece)));
    let (index, _) = script.arrived(&head).unwrap();
    assert!((0..4).all(|_| script.keep(index, &piece)));
    assert!(!script.keep(index, &piece));
    let error = locked(&book).take().unwrap_err().to_string();
    assert!(error.contains("more than 67108864 bytes, the last to `auth`"), "{error}");

    let script = Script::new("auth", vec![], Arc::default());
    assert!((0..10_000).all(|_| script.arrived(&head).is_some()));
    assert!(script.arrived(&head).is_none());
}
