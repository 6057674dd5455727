"""Writes what the clients have from the protos: messages, services, errors, and the service config.

    generate.py           writes the files
    generate.py --check   writes nothing, and fails if a file is not what would be written

Runs in the environment that `scripts/setup clients` makes; the version of grpcio-tools there decides what the
messages look like.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = sorted((ROOT / "proto/befriend/v1").glob("*.proto"))
PACKAGE = "clients/python/src/befriend"

#: How long a call may take by default, and how often one that may be repeated is tried.
TIMEOUT = "10s"
RETRIES = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
}

Field = descriptor_pb2.FieldDescriptorProto
Level = descriptor_pb2.MethodOptions
SCALARS = {Field.TYPE_STRING: ("str", '""'), Field.TYPE_BOOL: ("bool", "False")}
INTEGERS = {Field.TYPE_INT32, Field.TYPE_INT64, Field.TYPE_UINT32, Field.TYPE_UINT64}
HEADER = '"""{}\n\nWritten by clients/generate.py: change that, or the protos.\n"""\n\n'


def compile_protos(into: Path) -> descriptor_pb2.FileDescriptorSet:
    """Writes the messages, and returns the descriptors with their comments."""
    image = into / "image.binpb"
    include = Path(grpc_tools.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{ROOT / 'proto'}", f"-I{include}", f"--python_out={into}", f"--pyi_out={into}"]
    arguments += [f"--descriptor_set_out={image}", "--include_source_info", *map(str, PROTOS)]
    if protoc.main(arguments) != 0:
        raise SystemExit("the protos could not be compiled")
    descriptors = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    image.unlink()
    return descriptors


class Comments:
    """The comments of a file, by the path of what they stand at."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self.by_path = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}

    def at(self, *path: int) -> str:
        lines = [line.strip() for line in self.by_path.get(path, "").strip().splitlines()]
        return "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def indent(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line if line else "" for line in text.splitlines())


# ---- The service config


def service_config(files: list[descriptor_pb2.FileDescriptorProto]) -> str:
    """How each method is retried, as gRPC's libraries read it.

    What has no side effects or may be repeated is retried after UNAVAILABLE, which leaves open whether it was
    done. After ABORTED nothing was done, so everything is retried. A stream has no timeout.
    """
    kinds: dict[tuple[bool, bool], list[dict[str, str]]] = {}
    for file in files:
        for service in file.service:
            for method in service.method:
                repeatable = method.options.idempotency_level != Level.IDEMPOTENCY_UNKNOWN
                name = {"service": f"{file.package}.{service.name}", "method": method.name}
                kinds.setdefault((repeatable, method.server_streaming), []).append(name)
    configs = []
    for (repeatable, streaming), names in sorted(kinds.items()):
        codes = ["UNAVAILABLE", "ABORTED"] if repeatable else ["ABORTED"]
        config: dict[str, object] = {"name": names}
        if not streaming:
            config["timeout"] = TIMEOUT
        config["retryPolicy"] = {**RETRIES, "retryableStatusCodes": codes}
        configs.append(config)
    return json.dumps({"methodConfig": configs}, indent=2) + "\n"


# ---- The errors


def errors(file: descriptor_pb2.FileDescriptorProto) -> str:
    """A class for each reason, below the class of its code."""
    comments = Comments(file)
    [enum] = file.enum_type
    prefix = "ERROR_REASON_"
    reasons: list[tuple[str, str, str]] = []
    for index, value in enumerate(enum.value):
        text = comments.at(5, 0, 2, index)
        code = re.search(r"Code\s+([A-Z_]+)", text)
        if code is not None:
            reasons.append((value.name.removeprefix(prefix), code[1], text))
    names = {reason for reason, _, _ in reasons}
    out = HEADER.format("The errors of calls: a class for each reason, below the class of its code.")
    out += "from __future__ import annotations\n\nfrom ._error import BefriendError\n"
    for code in sorted({code for _, code, _ in reasons}):
        own = next((text for reason, _, text in reasons if reason == code), f"A call that failed with {code}.")
        out += f'\n\nclass {camel(code)}(BefriendError):\n    """{indent(own, 4).strip()}\n    """\n'
    for reason, code, text in reasons:
        if reason != code and not (reason in names and reason in {c for _, c, _ in reasons}):
            out += f'\n\nclass {camel(reason)}({camel(code)}):\n    """{indent(text, 4).strip()}\n    """\n'
    out += "\n\n#: The class of each reason.\nBY_REASON: dict[str, type[BefriendError]] = {\n"
    out += "".join(f'    "{reason}": {camel(reason)},\n' for reason, _, _ in reasons)
    out += "}\n\n#: The class of each code: for reasons that this version does not know.\n"
    out += "BY_CODE: dict[str, type[BefriendError]] = {\n"
    out += "".join(f'    "{code}": {camel(code)},\n' for code in sorted({code for _, code, _ in reasons}))
    return out + "}\n"


# ---- The services


class Services:
    """Writes the classes of the services, for calls that block or for asyncio."""

    def __init__(self, files: list[descriptor_pb2.FileDescriptorProto], aio: bool) -> None:
        self.files, self.aio = files, aio
        self.messages: dict[str, tuple[str, descriptor_pb2.DescriptorProto]] = {}
        for file in files:
            module = Path(file.name).stem + "_pb2"
            for message in file.message_type:
                self.messages[f".{file.package}.{message.name}"] = (module, message)
                for nested in message.nested_type:
                    name = f".{file.package}.{message.name}.{nested.name}"
                    self.messages[name] = (module, nested)

    def text(self) -> str:
        kind = "asyncio" if self.aio else "calls that block"
        base = "AsyncCaller" if self.aio else "Caller"
        iterators = ["AsyncGenerator", "AsyncIterator"] if self.aio else ["Generator", "Iterator"]
        out = HEADER.format(f"The services, for {kind}.")
        out += "from __future__ import annotations\n\nimport datetime\n"
        out += f"from collections.abc import {', '.join(sorted([*iterators, 'Iterable', 'Mapping']))}\n"
        out += "from typing import Any\n\n"
        out += "from google.protobuf.duration_pb2 import Duration\n"
        out += "from google.protobuf.field_mask_pb2 import FieldMask\n"
        out += "from google.protobuf.timestamp_pb2 import Timestamp\n\n"
        module = "_aio" if self.aio else "_sync"
        out += f"from .{module} import {base}\nfrom ._method import Method\n"
        modules = sorted({Path(file.name).stem + "_pb2" for file in self.files if file.message_type})
        out += "from .v1 import (\n" + "".join(f"    {name},\n" for name in modules) + ")\n"
        for file in self.files:
            comments = Comments(file)
            for index, service in enumerate(file.service):
                out += self.service(file, index, service, comments, base)
        return out

    def service(
        self,
        file: descriptor_pb2.FileDescriptorProto,
        index: int,
        service: descriptor_pb2.ServiceDescriptorProto,
        comments: Comments,
        base: str,
    ) -> str:
        doc = comments.at(6, index) or service.name
        out = f'\n\nclass {service.name}:\n    """{indent(doc, 4).strip()}\n    """\n\n'
        out += f"    def __init__(self, caller: {base}) -> None:\n        self._caller = caller\n"
        for number, method in enumerate(service.method):
            path = f"/{file.package}.{service.name}/{method.name}"
            text = comments.at(6, index, 2, number)
            out += self.method(path, method, text)
        return out

    def qualified(self, type_name: str) -> str:
        module, _ = self.messages[type_name]
        return f"{module}.{type_name.removeprefix('.befriend.v1.')}"

    def method(self, path: str, method: descriptor_pb2.MethodDescriptorProto, doc: str) -> str:
        _, request = self.messages[method.input_type]
        _, answer = self.messages[method.output_type]
        constant = f'Method("{path}", {self.qualified(method.input_type)}, {self.qualified(method.output_type)})'
        response = self.qualified(method.output_type)
        fields = {field.name for field in request.field}
        answers = {field.name for field in answer.field}
        name = snake(method.name)
        build = self.build(method, request)
        if method.server_streaming:
            return self.define(name, request, self.generator(response), doc + WATCH, constant, build, "watch")
        out = self.define(name, request, response, doc, constant, build, "call")
        if "page_token" in fields and "next_page_token" in answers:
            if "has_more" in answers:
                walk = f"iter_{name}"
                text = f"All pages of `{name}`; the last one has the version to go on from." + SYNC
                out += self.define(walk, request, self.iterator(response), text, constant, build, "sync")
            else:
                item = next(field for field in answer.field if field.label == Field.LABEL_REPEATED)
                walk = "iter_" + name.removeprefix("list_")
                text = f"All entries that `{name}` has, page by page."
                returned = self.iterator(self.item_type(item))
                out += self.define(walk, request, returned, text, constant, build, "pages", item.name)
        return out

    def iterator(self, item: str) -> str:
        return f"AsyncIterator[{item}]" if self.aio else f"Iterator[{item}]"

    def generator(self, item: str) -> str:
        return f"AsyncGenerator[{item}, None]" if self.aio else f"Generator[{item}, None, None]"

    def item_type(self, field: Field) -> str:
        if field.type == Field.TYPE_MESSAGE:
            return self.qualified(field.type_name)
        return "int" if field.type in INTEGERS else SCALARS[field.type][0]

    def define(
        self,
        name: str,
        request: descriptor_pb2.DescriptorProto,
        returned: str,
        doc: str,
        constant: str,
        build: str,
        how: str,
        item: str = "",
    ) -> str:
        walks = how in ("pages", "sync")
        skipped = {"page_token"} if walks else set()
        parameters = [self.parameter(field) for field in request.field if field.name not in skipped]
        if how != "watch":
            parameters.append("timeout: float | None = None")
        awaits = self.aio and how == "call"
        if walks:
            build = re.sub(r"\s*page_token=page_token,", "", build)
        more = f', "{item}"' if item else ""
        out = f"\n    {'async ' if awaits else ''}def {name}(\n        self,\n        *,\n"
        out += "".join(f"        {parameter},\n" for parameter in parameters)
        out += f"    ) -> {returned}:\n"
        out += f'        """{indent(doc, 8).strip()}\n        """\n'
        out += f"        request = {build}\n        method = {constant}\n"
        timeout = "" if how == "watch" else ", timeout"
        call = f"self._caller.{how}(method, request{timeout}{more})"
        return out + f"        return {'await ' if awaits else ''}{call}\n"

    def parameter(self, field: Field) -> str:
        kind, default = self.kind(field)
        return f"{field.name}: {kind} = {default}"

    def kind(self, field: Field) -> tuple[str, str]:
        if field.type_name == ".google.protobuf.Timestamp":
            return "datetime.datetime | Timestamp | None", "None"
        if field.type_name == ".google.protobuf.Duration":
            return "datetime.timedelta | Duration | None", "None"
        if field.type_name == ".google.protobuf.FieldMask":
            return "Iterable[str] | None", "None"
        if field.type == Field.TYPE_MESSAGE:
            kind = f"{self.qualified(field.type_name)} | Mapping[str, Any]"
        elif field.type == Field.TYPE_ENUM:
            kind = "int | str"
        elif field.type in INTEGERS:
            kind = "int"
        else:
            kind = SCALARS[field.type][0]
        if field.label == Field.LABEL_REPEATED:
            return f"Iterable[{kind}]", "()"
        if field.proto3_optional or field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
            return f"{kind} | None", "None"
        if field.type in INTEGERS:
            return kind, "0"
        return kind, SCALARS[field.type][1]

    def build(
        self, method: descriptor_pb2.MethodDescriptorProto, request: descriptor_pb2.DescriptorProto
    ) -> str:
        out = f"{self.qualified(method.input_type)}(\n"
        for field in request.field:
            value = field.name
            if field.type_name == ".google.protobuf.FieldMask":
                value = f"None if {field.name} is None else FieldMask(paths={field.name})"
            # The stubs know fewer types than the messages take.
            ignore = "  # type: ignore[arg-type]" if field.type == Field.TYPE_ENUM else ""
            out += f"            {field.name}={value},{ignore}\n"
        return out + "        )"


SYNC = """

After VERSION_AHEAD they begin again from 0, with `full_resync`: discard the copy."""

WATCH = """

Goes on by itself from the last version when the stream ends or breaks, for as long as it is read, and ends when the
client is closed. A message with `full_resync` begins the whole list anew: discard the copy. Raises what waiting
does not help against, as UserNotFound."""


# ---- The files


def write(into: Path) -> None:
    """Writes all files below `into`, as they stand below the repository."""
    package = into / PACKAGE
    with tempfile.TemporaryDirectory() as folder:
        files = list(compile_protos(Path(folder)).file)
        generated = Path(folder) / "befriend/v1"
        texts = {f"v1/{path.name}": path.read_text() for path in generated.iterdir()}
    modules = sorted(Path(name).stem for name in texts if name.endswith(".py"))
    imports = "".join(f"from befriend.v1.{name} import *  # noqa: F403\n" for name in modules)
    texts["v1/__init__.py"] = HEADER.format("The messages of the API.") + imports
    reasons = next(file for file in files if file.enum_type and file.name.endswith("error_reason.proto"))
    texts["errors.py"] = errors(reasons)
    texts["_services.py"] = Services(files, aio=False).text()
    texts["_aio_services.py"] = Services(files, aio=True).text()
    config = service_config(files)
    texts["service-config.json"] = config
    for name, text in texts.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (into / "clients").mkdir(exist_ok=True)
    (into / "clients/service-config.json").write_text(config)


def differences() -> list[str]:
    """The files that are not what would be written."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        wanted = {path.relative_to(folder): path.read_text() for path in Path(folder).rglob("*") if path.is_file()}
    found = [str(name) for name, text in wanted.items() if not (ROOT / name).is_file() or (ROOT / name).read_text() != text]
    messages = (ROOT / PACKAGE / "v1").glob("*.py*")
    found += [str(path) for path in messages if path.relative_to(ROOT) not in wanted]
    return sorted(found)


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        if old := differences():
            raise SystemExit("these files are out of date; run `make clients`: " + ", ".join(old))
    elif sys.argv[1:]:
        raise SystemExit(__doc__)
    else:
        write(ROOT)


if __name__ == "__main__":
    main()
