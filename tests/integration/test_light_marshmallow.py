"""marshmallow's light import: it saves what it says, and takes nothing away."""

import subprocess
import sys


def run(program: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_real_modules_are_back_and_were_not_loaded() -> None:
    program = """
import sys, re
from corepilot.config.loading import light_marshmallow; light_marshmallow.import_marshmallow()
assert sys.modules["re"] is re and re.compile("a").match("a")
assert "email" not in sys.modules and "email.utils" not in sys.modules
import email.utils, json.decoder, decimal, inspect
assert email.utils.parsedate_to_datetime("Mon, 20 Nov 1995 19:12:08 -0500").year == 1995
"""
    run(program)


def test_every_field_of_marshmallow_still_works() -> None:
    program = """
import sys
if LIGHT:
    from corepilot.config.loading import light_marshmallow; light_marshmallow.import_marshmallow()
from marshmallow import fields, Schema, ValidationError
class S(Schema):
    mail = fields.Email()
    url = fields.Url()
    when = fields.DateTime(format="rfc")
    ip = fields.IP()
    uid = fields.UUID()
good = {"mail": "a@b.example", "url": "https://x.example/y?z=1", "when": "Mon, 20 Nov 1995 19:12:08 -0500",
        "ip": "::1", "uid": "12345678123456781234567812345678"}
print(S().dump(S().load(good)))
try:
    S().load({name: "nonsense" for name in good})
except ValidationError as error:
    print(sorted(error.messages.items()))
"""
    assert run(program.replace("LIGHT", "True")) == run(program.replace("LIGHT", "False"))


def test_a_marshmallow_that_is_loaded_is_left_alone() -> None:
    program = """
import marshmallow, re
from corepilot.config.loading import light_marshmallow; light_marshmallow.import_marshmallow()
assert marshmallow.validate.re is re
"""
    run(program)


def test_no_expression_is_compiled_before_it_is_used() -> None:
    program = """
from corepilot.config.loading import light_marshmallow; light_marshmallow.import_marshmallow()
from marshmallow.validate import Email
print(type(Email.USER_REGEX).__name__, Email.USER_REGEX._found)
"""
    assert run(program) == "_LaterPattern None\n"
