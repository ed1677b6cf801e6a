//! The JSON Schemas of the documents, as published in `docs/derefs*.schema.json`.

use schemars::Schema;

use super::{diff::Difference, document::Document, trace::TraceDocument};

/// A published schema: the file's name, and what makes it.
pub type Published = (&'static str, fn() -> Schema);

/// All of them.
pub const ALL: [Published; 3] = [
    ("derefs.schema.json", || schemars::schema_for!(Document)),
    ("derefs-trace.schema.json", || {
        schemars::schema_for!(TraceDocument)
    }),
    ("derefs-diff.schema.json", || {
        schemars::schema_for!(Difference)
    }),
];

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use serde_json::{Value, json};

    use super::super::sample::document;
    use super::*;

    /// Set `SHARESTAT_UPDATE_DOCS=1` to write the files anew.
    #[test]
    fn the_published_schemas_are_current() {
        for (name, make) in ALL {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../docs")
                .join(name);
            let schema = format!("{:#}\n", make().as_value());
            if std::env::var_os("SHARESTAT_UPDATE_DOCS").is_some() {
                fs::write(&path, &schema).expect("docs can be written");
            }
            let published = fs::read_to_string(&path).expect("it is there");
            assert_eq!(
                published, schema,
                "run this test with SHARESTAT_UPDATE_DOCS=1"
            );
        }
    }

    /// Whether `value` is what `schema` says, as far as types, fields and lists go.
    fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            return root
                .pointer(pointer)
                .is_some_and(|schema| fits(value, schema, root));
        }
        if let Some(any) = schema["anyOf"].as_array() {
            return any.iter().any(|schema| fits(value, schema, root));
        }
        let is = |name: &str| match name {
            "null" => value.is_null(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("type '{other}'"),
        };
        let typed = match &schema["type"] {
            Value::String(name) => is(name),
            Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
            _ => true,
        };
        let required = schema["required"].as_array().into_iter().flatten();
        let complete = required
            .filter_map(Value::as_str)
            .all(|field| value.get(field).is_some());
        let fields = value
            .as_object()
            .into_iter()
            .flatten()
            .all(|(field, value)| {
                match (
                    &schema["properties"][field],
                    &schema["additionalProperties"],
                ) {
                    (Value::Null, Value::Object(_)) => {
                        fits(value, &schema["additionalProperties"], root)
                    }
                    (Value::Null, _) => false,
                    (schema, _) => fits(value, schema, root),
                }
            });
        let items = value.as_array().into_iter().flatten();
        typed
            && complete
            && (!value.is_object() || fields)
            && items
                .into_iter()
                .all(|item| fits(item, &schema["items"], root))
    }

    #[test]
    fn what_is_written_fits_its_schema_and_what_is_damaged_does_not() {
        let schema = (ALL[0].1)();
        let schema = schema.as_value();
        let value = serde_json::to_value(document()).expect("it serialises");
        assert!(fits(&value, schema, schema));
        let damages: [fn(&mut Value); 4] = [
            |value| value["sites"][0]["hits"] = json!("many"),
            |value| value["sites"][0]["unknown"] = json!(1),
            |value| value["faults"][0]["faults"] = json!(null),
            |value| {
                value.as_object_mut().expect("an object").remove("strata");
            },
        ];
        for damage in damages {
            let mut damaged = value.clone();
            damage(&mut damaged);
            assert!(!fits(&damaged, schema, schema), "{damaged}");
        }
        let difference = super::super::diff::difference(&document(), &document());
        let value = serde_json::to_value(difference).expect("it serialises");
        let schema = (ALL[2].1)();
        assert!(
            fits(&value, schema.as_value(), schema.as_value()),
            "{value}"
        );
    }
}
