//! The TypeScript of the protos: messages and services as interfaces, and the table by which they are called.

mod fields;

use std::collections::BTreeSet;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor, prost_types::method_options::IdempotencyLevel,
};

use fields::{camel, codec, is_known, kind_of, name_of};

const PACKAGE: &str = "befriend.v1";

const HEADER: &str =
    "// Written by `make clients` from the protos: change them, or tests/it/generated.\n\n";

/// What is generated: the names of files, and their contents. The descriptors have the comments.
pub fn files(pool: &DescriptorPool) -> [(&'static str, String); 3] {
    let api = Api::of(pool);
    [
        ("messages.ts", api.messages_file()),
        ("services.ts", api.services_file()),
        ("methods.ts", api.methods_file()),
    ]
}

struct Api {
    services: Vec<ServiceDescriptor>,
    enums: Vec<EnumDescriptor>,
    messages: Vec<MessageDescriptor>,
    /// The names of all messages that callers give.
    given: BTreeSet<String>,
    /// The names of all fields, which comments write as the protos do.
    fields: BTreeSet<String>,
}

impl Api {
    fn of(pool: &DescriptorPool) -> Self {
        let ours = |file: &FileDescriptor| file.package_name() == PACKAGE;
        let mut services: Vec<_> =
            pool.services().filter(|service| ours(&service.parent_file())).collect();
        services.sort_by_key(|service| service.name().to_owned());
        let methods = || services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
        let (mut given, mut got) = (BTreeSet::new(), BTreeSet::new());
        methods().for_each(|method| reach(&method.input(), &mut given));
        methods().for_each(|method| reach(&method.output(), &mut got));
        let mut messages: Vec<_> = pool
            .all_messages()
            .filter(|message| {
                given.contains(message.full_name()) || got.contains(message.full_name())
            })
            .collect();
        messages.sort_by_key(|message| message.parent_file().name().to_owned());
        let both = messages.iter().filter(|message| {
            given.contains(message.full_name()) && got.contains(message.full_name())
        });
        for field in both.flat_map(MessageDescriptor::fields) {
            assert!(
                field.supports_presence(),
                "{}: one interface can't say that callers may leave it out and the service does not",
                field.full_name()
            );
        }
        let fields = messages.iter().flat_map(MessageDescriptor::fields);
        let fields = fields.map(|field| field.name().to_owned()).collect();
        let mut enums: Vec<_> = pool.all_enums().filter(|of| ours(&of.parent_file())).collect();
        enums.sort_by_key(|of| of.name().to_owned());
        Self { services, enums, messages, given, fields }
    }

    fn messages_file(&self) -> String {
        let enums = self.enums.iter().map(|of| self.union(of));
        let messages = self.messages.iter().map(|message| self.interface(message));
        let parts: Vec<_> = enums.chain(messages).collect();
        format!("{HEADER}{}", parts.join("\n"))
    }

    fn union(&self, of: &EnumDescriptor) -> String {
        let is_reason = of.name() == "ErrorReason";
        let file = of.parent_file();
        // Metadata of errors has the names of the protos.
        let said = |path: &[i32], indent: &str| match is_reason {
            true => doc(comment(&file, path), indent),
            false => doc(self.in_camel_case(comment(&file, path)), indent),
        };
        let mut text = format!("{}export type {} =", said(of.path(), ""), of.name());
        for value in of.values() {
            let on_the_wire = value.name().strip_prefix("ERROR_REASON_");
            // No error has this one.
            if is_reason && value.number() == 0 {
                continue;
            }
            text += &format!(
                "\n{}  | \"{}\"",
                said(value.path(), "  "),
                on_the_wire.unwrap_or(value.name())
            );
        }
        text + ";\n"
    }

    fn interface(&self, message: &MessageDescriptor) -> String {
        let file = message.parent_file();
        let head = doc(self.in_camel_case(comment(&file, message.path())), "");
        if message.fields().len() == 0 {
            return format!("{head}export type {} = Record<string, never>;\n", name_of(message));
        }
        let given = self.given.contains(message.full_name());
        let mut text = format!("{head}export interface {} {{\n", name_of(message));
        for field in message.fields() {
            let mut lines = comment(&file, field.path());
            if is_known(&field, "google.protobuf.Duration") {
                lines.push("In milliseconds.".to_owned());
            }
            text += &doc(self.in_camel_case(lines), "  ");
            let kind = kind_of(&field, given);
            let name = field.json_name();
            text += &match (given, field.supports_presence()) {
                (true, _) => format!("  {name}?: {kind} | undefined;\n"),
                (false, true) => format!("  {name}?: {kind};\n"),
                (false, false) => format!("  {name}: {kind};\n"),
            };
        }
        text + "}\n"
    }

    fn services_file(&self) -> String {
        let methods =
            || self.services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
        let mut named: BTreeSet<String> = methods()
            .flat_map(|method| [name_of(&method.input()), name_of(&method.output())])
            .collect();
        named.extend(methods().filter_map(|method| pages(&method)?.entry));
        named.retain(|name| name != "string");
        let named: Vec<_> = named.iter().map(|name| format!("  {name},\n")).collect();
        let mut text = format!(
            "{HEADER}import type {{ CallOptions }} from \"../call.js\";\n\
             import type {{\n{}}} from \"./messages.js\";\n",
            named.concat()
        );
        for service in &self.services {
            text += "\n";
            text += &doc(self.in_camel_case(comment(&service.parent_file(), service.path())), "");
            text += &format!("export interface {} {{\n", service.name());
            let methods: Vec<_> = service.methods().map(|method| self.signature(&method)).collect();
            text += &methods.join("\n");
            text += "}\n";
        }
        text +=
            "\n/** All services, by the client's names for them. */\nexport interface Services {\n";
        for service in &self.services {
            text += &format!("  readonly {}: {};\n", property(service), service.name());
        }
        text + "}\n"
    }

    fn signature(&self, method: &MethodDescriptor) -> String {
        let name = lower_first(method.name());
        let (request, response) = (name_of(&method.input()), name_of(&method.output()));
        let lines =
            self.in_camel_case(comment(&method.parent_service().parent_file(), method.path()));
        let arguments = format!("(request: {request}, options?: CallOptions)");
        if method.is_server_streaming() {
            let mut lines = lines;
            lines.extend(["".to_owned(), GOES_ON[0].to_owned(), GOES_ON[1].to_owned()]);
            return format!(
                "{}  {name}{arguments}: AsyncIterable<{response}>;\n",
                doc(lines, "  ")
            );
        }
        let mut text = format!("{}  {name}{arguments}: Promise<{response}>;\n", doc(lines, "  "));
        if let Some(Pages { name: walk, entry, .. }) = pages(method) {
            let (what, of) = match entry {
                Some(entry) => {
                    (format!("All entries of {name}, from the page of the request on."), entry)
                }
                None => (
                    format!(
                        "All pages of {name}. After VERSION_AHEAD they begin again from 0, with fullResync."
                    ),
                    response,
                ),
            };
            text += &format!("\n  /** {what} */\n  {walk}{arguments}: AsyncIterable<{of}>;\n");
        }
        text
    }

    fn methods_file(&self) -> String {
        let mut text = format!(
            "{HEADER}import {{\n  choice,\n  duration,\n  flag,\n  int32,\n  int64,\n  list,\n  mask,\n  message,\n  \
             optional,\n  text,\n  time,\n  type Shape,\n}} from \"../codec.js\";\n"
        );
        for message in &self.messages {
            text += &format!("\nconst {}: Shape = {{", name_of(message));
            for field in message.fields() {
                text += &format!("\n  {}: {},", field.json_name(), codec(&field));
            }
            text += if message.fields().len() == 0 { "};\n" } else { "\n};\n" };
        }
        text += "\n/** How the methods of each service are called. */\nexport const methods = {\n";
        for service in &self.services {
            text += &format!("  {}: {{\n", property(service));
            for method in service.methods() {
                text += &row(&method);
            }
            text += "  },\n";
        }
        text + "} as const;\n"
    }

    /// Comments with the fields' names as in TypeScript.
    fn in_camel_case(&self, lines: Vec<String>) -> Vec<String> {
        let convert = |line: String| {
            let is_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
            let mut words = Vec::new();
            let mut rest = line.as_str();
            while !rest.is_empty() {
                let end = match rest.find(is_of_name) {
                    Some(0) => rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()),
                    Some(begin) => begin,
                    None => rest.len(),
                };
                let (word, after) = rest.split_at(end);
                words.push(match self.fields.contains(word) {
                    true => camel(word),
                    false => word.to_owned(),
                });
                rest = after;
            }
            words.concat()
        };
        lines.into_iter().map(convert).collect()
    }
}

/// What the comments of streams say besides.
const GOES_ON: [&str; 2] = [
    "The client watches again by itself, from the last version. After VERSION_AHEAD it begins again from 0,",
    "with fullResync.",
];

/// Adds the names of a message and of all that it holds.
fn reach(message: &MessageDescriptor, names: &mut BTreeSet<String>) {
    if message.package_name() != PACKAGE || !names.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(held) = field.kind() {
            reach(&held, names);
        }
    }
}

/// The lines of the comment before what is at a path of a file.
fn comment(file: &FileDescriptor, path: &[i32]) -> Vec<String> {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = info.map(|info| info.location.as_slice()).unwrap_or_default();
    let found = locations.iter().find(|location| location.path == path);
    let text = found.map(|location| location.leading_comments()).unwrap_or_default();
    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect()
}

/// A comment of TypeScript.
fn doc(lines: Vec<String>, indent: &str) -> String {
    match lines.as_slice() {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned())
                .collect();
            format!("{indent}/**\n{}\n{indent} */\n", lines.join("\n"))
        }
    }
}

/// The line of a method in the table.
fn row(method: &MethodDescriptor) -> String {
    let level = method.method_descriptor_proto().options.clone().unwrap_or_default();
    let repeatable = level.idempotency_level() != IdempotencyLevel::IdempotencyUnknown;
    let name = lower_first(method.name());
    let path = format!("{}/{}", method.parent_service().full_name(), method.name());
    let mut text =
        format!("    {name}: {{\n      path: \"{path}\",\n      repeatable: {repeatable},\n");
    if method.is_server_streaming() {
        text += "      streams: true,\n";
    }
    if let Some(pages) = pages(method) {
        let of = match pages.entry {
            Some(_) => format!(", entries: \"{}\"", pages.entries),
            None => String::new(),
        };
        text += &format!("      pages: {{ name: \"{}\"{of} }},\n", pages.name);
    }
    let (request, response) = (name_of(&method.input()), name_of(&method.output()));
    text + &format!("      request: {request},\n      response: {response},\n    }},\n")
}

/// How a method whose answers are pages is walked.
struct Pages {
    /// The name of the function that walks.
    name: String,
    /// The type of the entries; none if a page says more than its entries do.
    entry: Option<String>,
    /// The field with the entries.
    entries: String,
}

fn pages(method: &MethodDescriptor) -> Option<Pages> {
    let answer = method.output();
    method.input().get_field_by_name("page_token")?;
    answer.get_field_by_name("next_page_token")?;
    let entries = answer.fields().find(FieldDescriptor::is_list)?;
    let more = answer.get_field_by_name("has_more").is_some();
    let kind = kind_of(&entries, false);
    let entry = (!more).then(|| kind.trim_end_matches("[]").to_owned());
    let name = match method.name().strip_prefix("List") {
        Some(what) => format!("iterate{what}"),
        None => format!("iterate{}", method.name()),
    };
    Some(Pages { name, entry, entries: entries.json_name().to_owned() })
}

/// The client's name for a service: "friends" for FriendService.
fn property(service: &ServiceDescriptor) -> String {
    let name = lower_first(service.name().trim_end_matches("Service"));
    match name.as_str() {
        "audit" => name,
        _ => format!("{name}s"),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
