//! The client library's JavaScript face: the class `MqttClient`, with types for TypeScript.
//!
//! ```js
//! const client = MqttClient.connect("ws://localhost:9001/mqtt");
//! client.onmessage = ({ topic, payload }) => console.log(topic, payload.length);
//! await client.subscribe("home/#", 1);
//! await client.publish("home/lamp", "on", { qos: 1, retain: true });
//! ```

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use codec::{
    MqttString, ProtocolVersion, QoS, ReasonCode, Subscription, SubscriptionOptions, TopicFilter,
    TopicName,
};
use futures_core::Stream;
use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use session::{Event, Message, Options};
use wasm_bindgen::prelude::*;

use crate::client::{Client, Events};
use crate::clock;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** How a client connects. */
export interface MqttOptions {
  /** The protocol version; 5 unless said otherwise. */
  version?: "3.1" | "3.1.1" | "5";
  /** The client identifier; a random one unless said otherwise. */
  clientId?: string;
  username?: string;
  password?: string;
  /** Keep-alive in seconds. */
  keepAlive?: number;
  /** Whether a session that the broker still has is thrown away; true unless said otherwise. */
  clean?: boolean;
  /** How long the broker keeps the session when the connection is gone, in seconds. */
  sessionExpiry?: number;
}

/** How a message is published. */
export interface MqttPublishOptions {
  qos?: 0 | 1 | 2;
  retain?: boolean;
}

/** A message that came. */
export interface MqttMessage {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1 | 2;
  /** Whether the broker had stored it. */
  retain: boolean;
  /** The MQTT 5 user properties, in order. */
  userProperties: [string, string][];
}

/** What happened to the connection. */
export interface MqttState {
  connected: boolean;
  /** Why there is no connection, as a sentence. */
  reason?: string;
  /** When the next try begins, in milliseconds from now; none if there is none. */
  retryIn?: number;
}
"#;

/// An MQTT client over WebSocket. It reconnects by itself until it is closed.
#[wasm_bindgen]
pub struct MqttClient {
    client: Client,
    callbacks: Rc<Callbacks>,
}

#[derive(Default)]
struct Callbacks {
    message: RefCell<Option<Function>>,
    state: RefCell<Option<Function>>,
}

#[wasm_bindgen]
impl MqttClient {
    /// Begins to connect to a WebSocket address, such as `ws://localhost:9001/mqtt`.
    ///
    /// # Errors
    /// An `Error` that says what is wrong with the address or the options.
    pub fn connect(
        url: &str,
        #[wasm_bindgen(unchecked_optional_param_type = "MqttOptions")] options: &JsValue,
    ) -> Result<MqttClient, JsError> {
        let (client, events) = Client::connect(url, read_options(options)?)?;
        let callbacks = Rc::<Callbacks>::default();
        wasm_bindgen_futures::spawn_local(pass_on(events, Rc::clone(&callbacks)));
        Ok(Self { client, callbacks })
    }

    /// Called with each message that comes.
    #[wasm_bindgen(setter)]
    pub fn set_onmessage(
        &self,
        #[wasm_bindgen(unchecked_param_type = "((message: MqttMessage) => void) | undefined")]
        callback: Option<Function>,
    ) {
        *self.callbacks.message.borrow_mut() = callback;
    }

    /// Called when the connection comes or goes.
    #[wasm_bindgen(setter)]
    pub fn set_onstate(
        &self,
        #[wasm_bindgen(unchecked_param_type = "((state: MqttState) => void) | undefined")]
        callback: Option<Function>,
    ) {
        *self.callbacks.state.borrow_mut() = callback;
    }

    /// Publishes. With QoS 1 and 2 the promise is kept when the broker has acknowledged the message.
    ///
    /// # Errors
    /// An `Error` that says why the message was not published.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn publish(
        &self,
        topic: &str,
        #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] payload: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "MqttPublishOptions")] options: &JsValue,
    ) -> js_sys::Promise {
        let message = read_message(topic, payload, options);
        let client = self.client.clone();
        wasm_bindgen_futures::future_to_promise(async move {
            client.publish(message?).await.map_err(JsError::from)?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Subscribes to a topic filter, with the highest QoS wanted: 0 unless said otherwise. The promise
    /// is kept with the QoS that the broker granted.
    ///
    /// # Errors
    /// An `Error` that says why the broker, or the client, refused.
    #[wasm_bindgen(unchecked_return_type = "Promise<0 | 1 | 2>")]
    pub fn subscribe(
        &self,
        filter: &str,
        #[wasm_bindgen(unchecked_optional_param_type = "0 | 1 | 2")] qos: Option<u8>,
    ) -> js_sys::Promise {
        let subscription = read_filter(filter).and_then(|filter| {
            let options = SubscriptionOptions { qos: read_qos(qos)?, ..Default::default() };
            Ok(Subscription { filter, options })
        });
        let client = self.client.clone();
        wasm_bindgen_futures::future_to_promise(async move {
            let answers = client.subscribe(vec![subscription?]).await.map_err(JsError::from)?;
            let code = first_code(&answers)?;
            Ok(code.granted_qos().map_or(0, |qos| qos as u8).into())
        })
    }

    /// Unsubscribes from a topic filter.
    ///
    /// # Errors
    /// An `Error` that says why the broker, or the client, refused.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn unsubscribe(&self, filter: &str) -> js_sys::Promise {
        let filter = read_filter(filter);
        let client = self.client.clone();
        wasm_bindgen_futures::future_to_promise(async move {
            let answers = client.unsubscribe(vec![filter?]).await.map_err(JsError::from)?;
            first_code(&answers)?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// How many messages had to go, the oldest first, because they came faster than `onmessage` took
    /// them.
    #[wasm_bindgen(getter)]
    pub fn dropped(&self) -> f64 {
        self.client.dropped() as f64
    }

    /// Says goodbye. Promises that are still open are broken.
    pub fn close(&self) {
        self.client.disconnect();
    }
}

/// Calls back for each event, as long as there are any.
async fn pass_on(mut events: Events, callbacks: Rc<Callbacks>) {
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut events).poll_next(context)).await;
        let Some(event) = next else { return };
        let (callback, value) = match event {
            Event::Message(message) => {
                (callbacks.message.borrow().clone(), message_object(&message))
            }
            Event::Connected(_) => (callbacks.state.borrow().clone(), state_object(None, None)),
            Event::Disconnected { why, retry_in_ms } => {
                let reason = why.to_string();
                (callbacks.state.borrow().clone(), state_object(Some(&reason), retry_in_ms))
            }
            Event::Refused { code, reason, retry_in_ms, .. } => {
                let reason = reason.as_deref().unwrap_or(code.name());
                (callbacks.state.borrow().clone(), state_object(Some(reason), retry_in_ms))
            }
            Event::Subscribed { .. }
            | Event::Unsubscribed { .. }
            | Event::Published { .. }
            | Event::PublishFailed { .. } => continue,
        };
        if let Some(callback) = callback
            && let Err(error) = callback.call1(&JsValue::NULL, &value)
        {
            // The mistake is the callback's own: it is shown where such mistakes are, and the rest
            // goes on.
            wasm_bindgen_futures::spawn_local(async move { wasm_bindgen::throw_val(error) });
        }
        // A page that gets very many messages must still be able to paint.
        yield_once().await;
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // A new object takes any property.
    let _set = Reflect::set(object, &name.into(), value);
}

fn message_object(message: &Message) -> JsValue {
    let object = Object::new();
    set(&object, "topic", &message.topic.as_str().into());
    set(&object, "payload", &Uint8Array::from(&message.payload[..]));
    set(&object, "qos", &(message.qos as u8).into());
    set(&object, "retain", &message.retain.into());
    let properties = Array::new();
    for (name, value) in message.properties.user_properties() {
        properties.push(&Array::of2(&name.as_str().into(), &value.as_str().into()));
    }
    set(&object, "userProperties", &properties);
    object.into()
}

fn state_object(reason: Option<&str>, retry_in_ms: Option<u64>) -> JsValue {
    let object = Object::new();
    set(&object, "connected", &reason.is_none().into());
    if let Some(reason) = reason {
        set(&object, "reason", &reason.into());
    }
    if let Some(ms) = retry_in_ms {
        set(&object, "retryIn", &(ms as f64).into());
    }
    object.into()
}

fn option(options: &JsValue, name: &str) -> Option<JsValue> {
    // What is no object has no properties.
    let value = Reflect::get(options, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

fn wrong(name: &str, expected: &str) -> JsError {
    JsError::new(&format!("the option {name} is not {expected}"))
}

fn text_option(options: &JsValue, name: &str) -> Result<Option<MqttString>, JsError> {
    let Some(value) = option(options, name) else { return Ok(None) };
    let text = value.as_string().ok_or_else(|| wrong(name, "a text"))?;
    Ok(Some(MqttString::new(&text)?))
}

fn number_option(options: &JsValue, name: &str, max: u32) -> Result<Option<u32>, JsError> {
    let Some(value) = option(options, name) else { return Ok(None) };
    let number = value
        .as_f64()
        .filter(|number| number.fract() == 0.0 && (0.0..=f64::from(max)).contains(number))
        .ok_or_else(|| wrong(name, &format!("a whole number from 0 to {max}")))?;
    Ok(Some(number as u32))
}

fn flag_option(options: &JsValue, name: &str) -> Result<Option<bool>, JsError> {
    let Some(value) = option(options, name) else { return Ok(None) };
    Ok(Some(value.as_bool().ok_or_else(|| wrong(name, "true or false"))?))
}

fn read_options(options: &JsValue) -> Result<Options, JsError> {
    let version = match text_option(options, "version")?.as_deref() {
        None | Some("5") => ProtocolVersion::V5,
        Some("3.1.1") => ProtocolVersion::V311,
        Some("3.1") => ProtocolVersion::V31,
        Some(_) => return Err(wrong("version", "\"3.1\", \"3.1.1\" or \"5\"")),
    };
    let client_id = match text_option(options, "clientId")? {
        Some(client_id) => client_id,
        None => MqttString::new(&format!("browser-{:08x}", clock::seed() as u32))?,
    };
    let mut read = Options::new(version, client_id);
    read.username = text_option(options, "username")?;
    read.password = text_option(options, "password")?.map(MqttString::into_bytes);
    if let Some(seconds) = number_option(options, "keepAlive", u16::MAX.into())? {
        read.keep_alive_s = u16::try_from(seconds)?;
    }
    if let Some(clean) = flag_option(options, "clean")? {
        read.clean_start = clean;
    }
    if let Some(seconds) = number_option(options, "sessionExpiry", u32::MAX)? {
        read.session_expiry_s = seconds;
    }
    Ok(read)
}

fn read_message(topic: &str, payload: &JsValue, options: &JsValue) -> Result<Message, JsError> {
    let payload = match (payload.as_string(), payload.dyn_ref::<Uint8Array>()) {
        (Some(text), _) => Bytes::from(text),
        (None, Some(bytes)) => Bytes::from(bytes.to_vec()),
        (None, None) => return Err(JsError::new("the payload is neither a text nor a Uint8Array")),
    };
    let mut message = Message::new(TopicName::new(topic)?, payload);
    let qos = number_option(options, "qos", 2)?;
    message.qos = read_qos(qos.and_then(|qos| u8::try_from(qos).ok()))?;
    message.retain = flag_option(options, "retain")?.unwrap_or(false);
    Ok(message)
}

fn read_filter(filter: &str) -> Result<TopicFilter, JsError> {
    Ok(TopicFilter::new(filter)?)
}

fn read_qos(qos: Option<u8>) -> Result<QoS, JsError> {
    let qos = qos.unwrap_or(0);
    QoS::from_u8(qos).ok_or_else(|| JsError::new(&format!("QoS {qos} does not exist: 0, 1 or 2")))
}

fn first_code(answers: &[(TopicFilter, ReasonCode)]) -> Result<ReasonCode, JsError> {
    match answers.first() {
        Some((_, code)) if !code.is_error() => Ok(*code),
        Some((filter, code)) => Err(JsError::new(&format!("the broker refused {filter}: {code}"))),
        None => Err(JsError::new("the broker said nothing of the filter")),
    }
}
