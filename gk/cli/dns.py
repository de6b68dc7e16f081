"""`gk dns`: the DNS records a domain needs, and `gk dns check`: whether they are there."""

from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show

SHOW = "show"
TTL = 3600  # seconds, in zone files: a mistake is mended the same day

addresses = click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="IP",
    help="An address of this server, instead of the machine's own.",
)


class OrShow(click.Group):
    """A group whose first verb need not be said."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = [SHOW, *args]
        return super().parse_args(context, args)


@click.group("dns", cls=OrShow)
def command() -> None:
    """The DNS records a domain needs: «gk dns [DOMAIN]» prints them, «gk dns check [DOMAIN]» looks for them."""


@command.command(SHOW)
@click.argument("domain", default="")
@addresses
@click.option("--format", "form", type=click.Choice(["text", "zone", "json"]), default="text", help="Default: text.")
@as_json
@click.pass_context
def show_(context: click.Context, domain: str, addresses: tuple[str, ...], form: str, json_: bool) -> None:
    """Print every record of a domain, or of all, with the reason it is there."""
    found = act(configuration(context), "dns_records", {"domain": domain, "addresses": list(addresses)})
    text = zone(found["domains"]) if form == "zone" else table(found["domains"], found["sts_policy"])
    show(found, json_ or form == "json", text)


def zone(domains: list[dict[str, Any]]) -> str:
    """Lines for a zone file; what does not belong in it now is a comment."""
    lines: list[str] = []
    told: set[tuple[str, str, str]] = set()
    for item in domains:
        lines.append(f"; {item['domain']}")
        for record in item["records"]:
            key = (record["name"], record["type"], record["rdata"])
            if key in told:
                continue  # the server's own, told with another domain
            told.add(key)
            lines.append(f"; {record['why']}" + (f" ({record['aside']})" if record["aside"] else ""))
            mark = "; " if record["aside"] else ""
            lines.append(f"{mark}{record['name']}. {TTL} IN {record['type']} {record['rdata']}")
    return "\n".join(lines)


def table(domains: list[dict[str, Any]], policy: str) -> str:
    """The same for a person, who copies into a provider's form."""
    lines: list[str] = []
    for item in domains:
        now = [r for r in item["records"] if not r["aside"]]
        later = [r for r in item["records"] if r["aside"]]
        lines += [f"Records of {item['domain']}:", "", *(line for record in now for line in _lines(record))]
        if later:
            lines += ["Not in this zone, or not yet:", "", *(line for record in later for line in _lines(record))]
        if any(record["kind"] == "sts" for record in item["records"]):
            address = f"https://mta-sts.{item['domain']}/.well-known/mta-sts.txt"
            lines += [f"The policy that {address} serves:", "", *(f"    {line}" for line in policy.split("\r\n"))]
    return "\n".join(lines).rstrip()


def _lines(record: dict[str, Any]) -> list[str]:
    why = record["why"] + (f" ({record['aside']})" if record["aside"] else "")
    return [f"{record['name']}.  {record['type']}  {record['rdata']}", f"    {why}", ""]


@command.command("check")
@click.argument("domain", default="")
@addresses
@click.option(
    "--probe",
    is_flag=False,
    flag_value="gmail.com",
    default="",
    metavar="[HOST]",
    help="Try to reach a mail server by port 25: that of HOST, or of gmail.com.",
)
@as_json
@click.pass_context
def check(context: click.Context, domain: str, addresses: tuple[str, ...], probe: str, json_: bool) -> None:
    """Ask the DNS whether all is there; exit code 1 when something is wrong or could not be asked."""
    arguments = {"domain": domain, "addresses": list(addresses), "probe": probe}
    found = act(configuration(context), "dns_check", arguments)
    show(found, json_, _report(found))
    context.exit(0 if found["well"] else 1)


def _report(found: dict[str, Any]) -> str:
    lines: list[str] = []
    last = None
    for item in found["findings"]:
        if item["domain"] != last:
            last = item["domain"]
            lines += ["", last or "this server"]
        what = " ".join(word for word in (item["type"], item["name"]) if word) or item["kind"]
        lines.append(f"  {item['status']:8}{item['kind']:10}{what}")
        lines += [f"          found: {text}" for text in item["found"] if item["status"] != "ok"]
        if item["fix"]:
            lines.append(f"          {item['fix']}")
    counted = [item["status"] for item in found["findings"]]
    lines += ["", ", ".join(f"{counted.count(s)} {s}" for s in dict.fromkeys(counted))]
    return "\n".join(lines).strip()
