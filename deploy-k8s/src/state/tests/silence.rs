//! What a real API server won't do on command: a small one that answers as it is told.

use super::Deployer;
use crate::{api::Api, testing::run};
use deploy_core::{
    journal::{Journal, Record},
    model::{DeploymentId, Event, Fence},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What is answered, one request each; none breaks the connection off.
type Script = Vec<fn(&Value) -> Option<(u16, Value)>>;

/// Runs a test against the script, and tells which requests came.
fn scripted(script: Script, test: impl AsyncFnOnce(Deployer)) -> Vec<String> {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let api = Api::new(kube::Client::try_from(kube::Config::new(url)).unwrap(), "shop");
        let came = Arc::<Mutex<Vec<String>>>::default();
        let asked = Arc::clone(&came);
        let server = tokio::spawn(async move {
            let mut stored = Value::Null;
            for answer in script {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (method, body) = request(&mut stream).await;
                asked.lock().unwrap().push(method);
                if !body.is_null() {
                    stored = body;
                }
                let Some((status, body)) = answer(&stored) else { continue };
                let body = body.to_string();
                let head = "content-type: application/json\r\nconnection: close\r\ncontent-length:";
                let answer = format!("HTTP/1.1 {status} x\r\n{head} {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        test(Deployer::new(&api, 15)).await;
        server.await.unwrap();
        std::mem::take(&mut *came.lock().unwrap())
    })
}

/// The method of a request, and what it carries.
async fn request(stream: &mut TcpStream) -> (String, Value) {
    let mut stream = BufReader::new(stream);
    let (mut method, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if method.is_empty() {
            method = line.split(' ').next().unwrap().into();
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (method, serde_json::from_slice(&body).unwrap_or_default())
}

fn not_found() -> (u16, Value) {
    (404, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound" }))
}

async fn append(deployer: Deployer) {
    let record = Record::new(1, Fence(1), Event::Suspended { reason: "a pause".into() });
    deployer.journal.append(DeploymentId(7), &record).await.unwrap();
}

#[test]
fn a_record_is_found_whose_answer_was_lost() {
    let came = scripted(vec![|_| None, |stored| Some((200, stored.clone()))], append);
    assert_eq!(came, ["POST", "GET"]);
}

#[test]
fn a_record_is_written_again_that_never_came_to_be() {
    let script: Script = vec![|_| None, |_| None, |_| Some(not_found()), |stored| Some((201, stored.clone()))];
    assert_eq!(scripted(script, append), ["POST", "GET", "GET", "POST"]);
}
