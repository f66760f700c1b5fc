//! The two faces of the client library, for programs in Rust and in JavaScript.

use std::cell::RefCell;
use std::rc::Rc;

use client_wasm::client::{Client, ClientError};
use client_wasm::javascript::MqttClient;
use client_wasm::limits::MESSAGES_WAITING_MAX;
use codec::{
    Ack, MqttString, Packet, ProtocolVersion, QoS, ReasonCode, Subscription, SubscriptionOptions,
    TopicFilter, TopicName,
};
use futures_util::{StreamExt as _, join};
use session::{Event, Message, Options};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::eventually;
use crate::socket::{Broker, Network, publish};

const ADDRESS: &str = "ws://broker.lan/mqtt";

fn options() -> Options {
    Options::new(ProtocolVersion::V5, MqttString::new("test").unwrap())
}

fn subscription(filter: &str) -> Subscription {
    let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() };
    Subscription { filter: TopicFilter::new(filter).unwrap(), options }
}

#[test]
async fn a_rust_program_subscribes_publishes_and_reads() {
    let network = Network::new();
    let (client, mut events) = Client::connect(ADDRESS, options()).unwrap();
    let mut broker = Broker::accepted(&network, 0).await;
    assert!(matches!(events.next().await, Some(Event::Connected(_))));

    let (answers, ()) = join!(
        client.subscribe(vec![subscription("home/#")]),
        broker.answer_subscribe(ReasonCode::GrantedQoS1)
    );
    assert_eq!(answers.unwrap()[0].1, ReasonCode::GrantedQoS1);

    broker.send(&[publish("home/lamp", "on")]);
    let Some(Event::Message(message)) = events.next().await else { panic!("a message") };
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("home/lamp", &b"on"[..]));

    let mut message = Message::new(TopicName::new("a").unwrap(), "1");
    message.qos = QoS::AtLeastOnce;
    let acknowledge = async {
        let Packet::Publish(message) = broker.next().await else { panic!("PUBLISH is next") };
        let id = message.packet_id.unwrap();
        broker.send(&[Packet::PubAck(Ack::new(id, ReasonCode::NoMatchingSubscribers))]);
    };
    let (code, ()) = join!(client.publish(message), acknowledge);
    assert_eq!(code.unwrap(), ReasonCode::NoMatchingSubscribers);

    client.disconnect();
    assert!(matches!(broker.next().await, Packet::Disconnect(_)));
    assert!(broker.is_closed());
    let last = events.next().await;
    assert!(matches!(last, Some(Event::Disconnected { .. })), "{last:?}");
    assert_eq!(events.next().await, None);
}

#[test]
async fn what_nobody_reads_is_dropped_oldest_first_and_counted() {
    let network = Network::new();
    let (client, mut events) = Client::connect(ADDRESS, options()).unwrap();
    let broker = Broker::accepted(&network, 0).await;
    // CONNACK is an event too, and the oldest.
    for _ in 0..MESSAGES_WAITING_MAX / 1_024 {
        broker.send(&vec![publish("a", "1"); 1_024]);
    }
    broker.send(&[publish("last", "1")]);
    assert_eq!(client.dropped(), 2);
    let mut count = 0;
    while let Some(Event::Message(message)) = events.next().await {
        count += 1;
        if message.topic.as_str() == "last" {
            break;
        }
    }
    assert_eq!(count, MESSAGES_WAITING_MAX);
}

#[test]
async fn what_can_not_be_done_is_an_error() {
    let _network = Network::new();
    for url in ["no address", "http://broker.lan/mqtt"] {
        let error = Client::connect(url, options()).err().unwrap();
        assert!(matches!(error, ClientError::Address(_)), "{error}");
    }
    let (client, _events) = Client::connect(ADDRESS, options()).unwrap();
    let waiting = client.clone();
    let (answer, ()) = join!(client.subscribe(vec![subscription("a")]), async {
        waiting.disconnect();
    });
    assert!(matches!(answer, Err(ClientError::Closed)));
}

#[test]
async fn a_javascript_program_subscribes_publishes_and_reads() {
    let network = Network::new();
    let given = js_sys::Object::new();
    js_sys::Reflect::set(&given, &"clientId".into(), &"panel".into()).unwrap();
    let client = MqttClient::connect(ADDRESS, &given).ok().unwrap();
    let seen = Rc::<RefCell<Vec<JsValue>>>::default();
    let keep = Rc::clone(&seen);
    let onmessage = Closure::<dyn FnMut(JsValue)>::new(move |value| keep.borrow_mut().push(value));
    client.set_onmessage(Some(onmessage.as_ref().unchecked_ref::<js_sys::Function>().clone()));

    let mut broker = network.broker(0).await;
    let Packet::Connect(connect) = broker.next().await else { panic!("CONNECT comes first") };
    assert_eq!(connect.client_id.as_str(), "panel");
    broker.send(&[crate::socket::connack()]);

    let granted = client.subscribe("home/#", Some(1));
    broker.answer_subscribe(ReasonCode::GrantedQoS1).await;
    assert_eq!(JsFuture::from(granted).await.unwrap(), JsValue::from(1));

    broker.send(&[publish("home/lamp", "on")]);
    let message = eventually("a message", || seen.borrow().first().cloned()).await;
    let get = |name: &str| js_sys::Reflect::get(&message, &name.into()).unwrap();
    assert_eq!(get("topic").as_string().as_deref(), Some("home/lamp"));
    assert_eq!(get("payload").unchecked_into::<js_sys::Uint8Array>().to_vec(), b"on");

    JsFuture::from(client.publish("a", &"1".into(), &JsValue::UNDEFINED)).await.unwrap();
    assert!(matches!(broker.next().await, Packet::Publish(_)));

    let refused = client.subscribe("secret/#", None);
    broker.answer_subscribe(ReasonCode::NotAuthorized).await;
    let error: js_sys::Error = JsFuture::from(refused).await.unwrap_err().unchecked_into();
    assert!(String::from(error.message()).contains("Not authorized"));
    client.close();
}

#[test]
async fn javascript_hears_what_is_wrong() {
    let _network = Network::new();
    let client = MqttClient::connect(ADDRESS, &JsValue::UNDEFINED).ok().unwrap();
    for (promise, words) in [
        (client.publish("a/+", &"1".into(), &JsValue::UNDEFINED), "wildcards"),
        (client.publish("a", &JsValue::from(7), &JsValue::UNDEFINED), "Uint8Array"),
        (client.subscribe("a/#/b", None), "#"),
        (client.subscribe("a", Some(3)), "QoS 3"),
    ] {
        let error: js_sys::Error = JsFuture::from(promise).await.unwrap_err().unchecked_into();
        let message = String::from(error.message());
        assert!(message.contains(words), "{message}");
    }
    let given = js_sys::Object::new();
    js_sys::Reflect::set(&given, &"keepAlive".into(), &"soon".into()).unwrap();
    assert!(MqttClient::connect(ADDRESS, &given).is_err());
}
