"""Plugins that a configuration names: found in the installed metadata, light module imported, options validated."""

from corepilot.config.diagnostics.complaints import REQUIRED, Complaint, shown
from corepilot.config.diagnostics.source_map import Path, path_text
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.naming import NamedPlugin
from corepilot.config.schema.options import Judged, judge
from corepilot.errors import PluginError
from corepilot.model.plugin import Options, PluginReference
from corepilot.plugin.foreign import refused_values
from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.installed import InstalledPlugin, find, scan
from corepilot.plugin.installing import advice
from corepilot.plugin.kinds import Kind
from corepilot.plugin.light import LightModule, PluginIncompleteError, import_light
from corepilot.system.interruption import Interruption
from corepilot.wording.nearest import nearest


class _Reporter:
    """SourceMap complaints about a plugin: in the file, or on the command line."""

    def __init__(self, named: NamedPlugin, verdict: Verdict) -> None:
        self._named = named
        self._verdict = verdict

    def about_name(self, complaint: Complaint, *, depends: bool = False) -> None:
        path = self._named.path
        if path is None:
            self._outside(complaint, "--discovery", depends=depends, severity="error")
        elif depends:
            self._verdict.depends(path, complaint)
        else:
            self._verdict.complain(path, complaint)

    def about_option(
        self, option: Path, complaint: Complaint, source: str = "", *, depends: bool = False, warning: bool = False
    ) -> None:
        base = self._named.options_path
        if base is None:
            name = source or f"--discovery {self._named.name}:{path_text(option)}"
            if complaint.rule == REQUIRED:
                complaint = Complaint(complaint.code, "it is required", f"add {path_text(option)}=… to --discovery")
            self._outside(complaint, name, depends=depends, severity="warning" if warning else "error")
            return
        # The short form is one text: what is wrong with it is not wrong with a key that the file does not have.
        path = base if not self._named.inside and not source else (*base, *option)
        if warning:
            self._verdict.complain(path, complaint, severity="warning", source=source)
        elif depends:
            self._verdict.depends(path, complaint, source=source)
        else:
            self._verdict.complain(path, complaint, source=source)

    def _outside(self, complaint: Complaint, what: str, *, depends: bool, severity: str) -> None:
        rule = complaint.rule
        as_error = severity == "error" and (not depends or self._verdict.judge_machine)
        message = f"cannot use {what}: {rule}" if as_error else f"{what}: {rule}"
        problem = self._verdict.source_map.nowhere(complaint.code, message, complaint.hint)
        problem.severity = "error" if as_error else "warning"
        problem.machine = depends
        self._verdict.add(problem)


def plugin_of(kind: str, named: NamedPlugin, verdict: Verdict, host: Host) -> PluginReference | None:
    """The plugin with its options, or None if it cannot be used.

    Args:
        kind: One of `corepilot.plugin.hookspec.KINDS`.
        named: The plugin's name and options.
        verdict: Takes what is wrong. A plugin that is not installed depends on the machine.
        host: The machine.
    """
    report = _Reporter(named, verdict)
    try:
        installed: InstalledPlugin | None = host.found.get((kind, named.name))
        if installed is None:
            installed = host.found[kind, named.name] = find(KINDS[kind].group, named.name)
    except PluginError as error:
        report.about_name(_not_found(KINDS[kind], named, error), depends=True)
        return None
    try:
        judged, light = _judged(installed, kind, named, host)
    except PluginError as error:
        host.importing("")
        hint = "" if isinstance(error, PluginIncompleteError) else "tell its author"
        report.about_name(Complaint("plugin-broken", str(error), hint))
        return None
    if judged is None:
        for key in named.options:
            complaint = Complaint("unknown-key", f"the {kind} {named.name} has no options", "leave it out", key=True)
            report.about_option((key,), complaint)
        made: Options | None = None if named.options else Options()
    else:
        for path, complaint in judged.complaints:
            spared = complaint.code == "bad-option" and path in {(name,) for name in named.spared}
            hint = f"correct it: without it nothing is registered in {named.name}, and nothing watched"
            said = Complaint(complaint.code, complaint.rule, hint) if spared else complaint
            report.about_option(path, said, judged.sources.get(path, ""), warning=spared)
        for path, complaint in judged.missing:
            report.about_option(path, complaint, depends=True)
        host.secrets += judged.secrets
        for path, complaint in judged.ignored:
            report.about_option(path, complaint, warning=True)
        for path, value, what in judged.paths:
            fault = host.file_fault(value, what)
            if fault:
                rule = f"cannot read the {what} {shown(value)}: {fault}"
                complaint = Complaint("file-missing", rule, f"put the {what} there, or name another")
                report.about_option(path, complaint, judged.sources.get(path, ""), depends=True)
        made = judged.options
    if made is None:
        return None
    return PluginReference(
        installed.name,
        installed.module,
        installed.attribute,
        installed.distribution,
        installed.version,
        made,
        tuple(sorted(light.capabilities)),
        light.lock_ttl_s,
    )


def _not_found(kind: Kind, named: NamedPlugin, error: PluginError) -> Complaint:
    """The complaint about a plugin that cannot be found, or of which there are two."""
    names = {one.name for one in scan(kind.group)}
    if named.name in names:
        return Complaint("plugin-broken", str(error).partition(": ")[2])
    shipped = kind.shipped
    rule = f"no {kind.name} called {shown(named.name)} is installed; installed: {', '.join(sorted(names)) or 'none'}"
    near = None if named.name in shipped else nearest(named.name.lower(), sorted({*names, *shipped}))
    hints = [f'did you mean "{near}"?'] if near else []
    # Only what we publish is named: a guessed distribution is whoever's has registered that name.
    distribution = named.extra or shipped.get(near or named.name)
    if near is None or near not in names:
        hints.append(advice(distribution) if distribution else "install the distribution that brings it")
    return Complaint("plugin-missing", rule, " ".join(hints))


def _judged(installed: InstalledPlugin, kind: str, named: NamedPlugin, host: Host) -> tuple[Judged | None, LightModule]:
    """What becomes of the options given for a plugin (None for a plugin without options), and its light module.

    Raises:
        PluginError: its light module cannot be used, or its `Options` fail in a way that is no answer.
    """
    title = f"{installed.distribution} {installed.version} cannot be used"
    host.importing(f"{kind} {installed.name!r} ({installed.distribution} {installed.version})")
    try:
        light: LightModule | None = host.light.get((kind, installed.name))
        if light is None:
            light = import_light(installed.module, installed.attribute, kind, title, installed.distribution)
            host.light[kind, installed.name] = light
        judged = judge(light.options, named.options, host.environment, texts=named.texts) if light.options else None
    except TypeError as error:
        raise PluginError(f"{title}: {installed.file}: {error}") from error
    except (PluginError, Interruption):
        raise
    except BaseException as error:  # noqa: BLE001  - validated values: whatever it is, the plugin's own code raised it
        raise PluginError(f"{title}: {refused_values(error, installed.module)}") from None
    host.importing("")  # not where a limit of the loader's was reached: that was in the plugin
    return judged, light
