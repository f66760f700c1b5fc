//! The form that publishes, as it was filled in, and the list of such forms that the browser keeps as
//! templates.

use serde::{Deserialize, Serialize};

use crate::draft::Kind;
use crate::limits::{REPEAT_MS_MIN, TEMPLATES_MAX};
use crate::protocol::{Properties, Publish};

/// A form as it was filled in. What a later version adds is left out where it is not there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// What the person calls it.
    pub name: String,
    /// Where it is published.
    pub topic: String,
    /// How its payload is written.
    pub kind: Kind,
    /// The payload as it was written.
    pub payload: String,
    /// Whether its placeholders are filled in.
    pub is_filled: bool,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// Whether it is published again and again.
    pub is_repeated: bool,
    /// Seconds between two messages.
    pub every: String,
    /// Whether the Payload Format Indicator says that the payload is text.
    pub is_text: bool,
    /// The Message Expiry Interval, in seconds.
    pub expiry: String,
    /// The Content Type.
    pub content_type: String,
    /// The Response Topic.
    pub response_topic: String,
    /// The Correlation Data, as text.
    pub correlation: String,
    /// The User Properties.
    pub user: Vec<(String, String)>,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            name: String::new(),
            topic: String::new(),
            kind: Kind::default(),
            payload: String::new(),
            is_filled: false,
            qos: 0,
            retain: false,
            is_repeated: false,
            every: "1".to_owned(),
            is_text: false,
            expiry: String::new(),
            content_type: String::new(),
            response_topic: String::new(),
            correlation: String::new(),
            user: Vec::new(),
        }
    }
}

impl Template {
    /// The message that the form is of.
    pub fn publish(&self, ticket: u32, payload: Vec<u8>) -> Publish {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Publish {
            ticket,
            topic: self.topic.clone(),
            payload,
            qos: self.qos,
            retain: self.retain,
            properties: Properties {
                is_text: self.is_text,
                expiry_s: self.expiry.trim().parse().ok(),
                content_type: given(&self.content_type),
                response_topic: given(&self.response_topic),
                correlation_data: given(&self.correlation).map(String::into_bytes),
                user: self.user.clone(),
            },
        }
    }

    /// How often it is published, in milliseconds; none where it is once.
    pub fn every_ms(&self) -> Option<u32> {
        let seconds: f64 = self.every.trim().parse().ok().filter(|s: &f64| *s > 0.0).unwrap_or(1.0);
        // A cast from a float keeps to the range of the integer.
        self.is_repeated.then_some(((seconds * 1_000.0) as u32).max(REPEAT_MS_MIN))
    }

    /// Whether any property is set.
    pub fn has_properties(&self) -> bool {
        self.publish(0, Vec::new()).properties != Properties::default()
    }
}

/// The templates in what the browser kept; those that can't be read are left out and counted.
pub fn read(kept: &str) -> (Vec<Template>, usize) {
    let Ok(all) = serde_json::from_str::<Vec<serde_json::Value>>(kept) else {
        return (Vec::new(), usize::from(!kept.is_empty()));
    };
    let count = all.len();
    let templates: Vec<Template> =
        all.into_iter().filter_map(|template| serde_json::from_value(template).ok()).collect();
    let unread = count.saturating_sub(templates.len());
    (templates, unread)
}

/// What the browser is to keep.
pub fn write(templates: &[Template]) -> String {
    // A list of texts and numbers is always JSON.
    serde_json::to_string(templates).unwrap_or_default()
}

/// Adds a template in the order of names; one with the same name goes. Says whether there was room.
pub fn add(templates: &mut Vec<Template>, template: Template) -> bool {
    templates.retain(|other| other.name != template.name);
    if templates.len() >= TEMPLATES_MAX {
        return false;
    }
    let at = templates.partition_point(|other| other.name < template.name);
    templates.insert(at, template);
    true
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn named(name: &str) -> Template {
        Template { name: name.to_owned(), ..Template::default() }
    }

    #[test]
    fn templates_are_kept_by_name_and_come_back_whole() {
        let mut templates = Vec::new();
        for name in ["b", "a", "c", "b"] {
            assert!(add(&mut templates, named(name)));
        }
        let whole = Template {
            kind: Kind::Json,
            payload: "{\"é\": {{walk 1 2}}}".into(),
            is_filled: true,
            qos: 2,
            expiry: "7".into(),
            user: vec![("k".into(), "v".into())],
            is_repeated: true,
            every: "0.5".into(),
            ..named("b")
        };
        assert!(add(&mut templates, whole));
        let names: Vec<_> = templates.iter().map(|template| template.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(read(&write(&templates)), (templates, 0));
    }

    #[test]
    fn a_form_is_a_message() {
        let form = Template {
            topic: "a".into(),
            expiry: " 60 ".into(),
            correlation: "é".into(),
            every: "0.001".into(),
            ..Template::default()
        };
        let message = form.publish(7, b"x".to_vec());
        assert_eq!((message.ticket, message.topic.as_str(), message.qos), (7, "a", 0));
        assert_eq!(message.properties.expiry_s, Some(60));
        assert_eq!(message.properties.correlation_data.as_deref(), Some("é".as_bytes()));
        assert_eq!(message.properties.content_type, None);
        assert!(form.has_properties() && !Template::default().has_properties());
        let every = |every: &str| {
            Template { is_repeated: true, every: every.into(), ..form.clone() }.every_ms()
        };
        assert_eq!((form.every_ms(), every("0.001"), every("2.5")), (None, Some(50), Some(2_500)));
        assert_eq!(
            (every(""), every("-1"), every("1e99")),
            (Some(1_000), Some(1_000), Some(u32::MAX))
        );
    }

    #[test]
    fn what_can_not_be_read_is_left_out_and_counted() {
        assert_eq!(read(""), (Vec::new(), 0));
        assert_eq!(read("broken"), (Vec::new(), 1));
        let (templates, unread) = read(r#"[{"name":"a","later":1},{"qos":"x"},7]"#);
        assert_eq!((templates, unread), (vec![named("a")], 2));
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut templates: Vec<_> = (0..TEMPLATES_MAX).map(|n| named(&n.to_string())).collect();
        assert!(!add(&mut templates, named("one more")));
        assert!(add(&mut templates, named("7")), "in the place of one that was there");
    }
}
