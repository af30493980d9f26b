//! The JSON Schema of the `Istio` CR's `spec`, and the list of its fields: both come from the types in [`super::spec`].

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::reader::leaves;
use super::spec::Spec;

/// The JSON Schema of `spec`.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<Spec>);
    &SCHEMA
}

/// Every path that a CR can set, as in `spec.config.authorizers[].port`. From the same types as the reader.
#[must_use]
pub fn fields() -> Vec<String> {
    let mut found = Vec::new();
    leaves(schema(), "spec", &mut found);
    found
}

/// A type's schema without references, `null`s and defaults: an absent field is not `null`.
fn schema_of<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let generator = settings
        .with_transform(RecursiveTransform(plain))
        .into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

fn plain(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.remove("default");
    schema.remove("format");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|alternative| alternative["type"] != "null");
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (name, value) in only {
                schema.entry(name).or_insert(value);
            }
        }
    }
    // An enum with documented variants is an alternative of constants.
    if let Some(Value::Array(variants)) = schema.get("oneOf") {
        let names: Vec<Value> = variants
            .iter()
            .filter_map(|variant| variant.get("const"))
            .cloned()
            .collect();
        schema.remove("oneOf");
        schema.insert("type".to_owned(), Value::from("string"));
        schema.insert("enum".to_owned(), Value::Array(names));
    }
}
