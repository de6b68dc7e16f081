"""What people read about DNS records, by key: one table per language, English so far."""

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    # why a record is there
    "why.mx": "Mail for {domain} comes to this server.",
    "why.address": "Where {host} is reached.",
    "why.spf": "The hosts that send mail of {domain}; all others are frauds.",
    "why.spf.smarthost": "Mail leaves by {smarthost}: ask its operator for the include: that belongs here too.",
    "why.spf.host": "Reports this server sends in its own name come from its own address only.",
    "why.dkim.active": "The key by which others verify the signature on mail of {domain}.",
    "why.dkim.next": "The next key: once it is published, «gk dkim rotate {domain} --activate» signs with it.",
    "why.dkim.retired": "The former key, for mail still on its way; it may go when «gk dkim list» no longer shows it.",
    "why.dmarc": "What others do with mail of {domain} that neither SPF nor DKIM supports, and whom they tell.",
    "why.tlsrpt": "Whom others tell when TLS to this server fails.",
    "why.sts": "Others must use TLS with a good certificate; the policy is served at {url}.",
    "why.sts.host": "The name the policy is served under.",
    "why.srv": "Where mail programs find {service}.",
    "why.srv.none": "{service} is not offered.",
    "why.autoconfig": "Thunderbird and others ask it for their settings.",
    "why.autodiscover": "Outlook and others ask it for their settings.",
    "why.ptr": "Many servers refuse mail from an address without a name, or whose name does not lead back.",
    # why a record is not to be published in this zone now
    "aside.address": "this machine knows no public address of its own; give it with --address",
    "aside.ptr": "set by whoever gave you the address, not in this zone",
    "aside.https": "once [http] https of gk.toml serves it",
    # what to do
    "fix.resolver": "No DNS answered within {seconds:.0f} seconds: check this machine's network and [dns] resolver.",
    "fix.unknown": "The DNS gave no answer; run «gk dns check» again later.",
    "fix.publish": "Publish {name} {type} {value}",
    "fix.replace": "Replace it by {name} {type} {value}",
    "fix.mx.other": "Mail also goes to {others}; remove them from the MX of {domain} unless they pass it on.",
    "fix.mx.null": "Remove the null MX (RFC 7505) of {domain} and publish {name} {type} {value}",
    "fix.mx.cname": "Replace the CNAME at {host} by A and AAAA records: an MX leads to no alias (RFC 5321 §5.1).",
    "fix.address.none": "Publish an A record with the public address of this machine at {host}.",
    "fix.address.other": "Remove {others} from {host} unless this server answers there too.",
    "fix.spf.two": "Keep one of the {count} SPF records of {name}: with several none counts (RFC 7208 §4.5).",
    "fix.spf.reach": "Add {mechanism} to the SPF record of {name}: it says {result} to mail from {address}.",
    "fix.spf.broken": "Correct the SPF record of {name}: {reason}.",
    "fix.spf.all": "End the SPF record of {name} with -all: as it is, it vouches for the whole world.",
    "fix.spf.unsure": "Check by hand that the SPF record of {name} covers {address}: it uses macros, exists or ptr.",
    "fix.dkim.two": "Keep one TXT record at {name}: with several verifiers choose any (RFC 6376 §3.6.2.2).",
    "fix.dkim.key": "Replace it by the record that «gk dns {domain}» prints for {name}: another key is published.",
    "fix.dkim.tag": "Remove {tag} from the TXT record at {name}: it forbids signatures this server makes.",
    "fix.dkim.test": "Remove t=y from the TXT record at {name}: it tells others to take the signature for a trial.",
    "fix.dkim.damaged": "The file of the key {name} cannot be used; make new keys with «gk dkim rotate {domain}».",
    "fix.dmarc.two": "Keep one DMARC record at {name}: with several none counts.",
    "fix.dmarc.broken": "Correct the DMARC record at {name}: {reason}.",
    "fix.dmarc.none": "Change p=none to p=quarantine at {name} once the reports show only mail of your own.",
    "fix.srv.other": "Let {name} lead to {value}, or remove it.",
    "fix.alias.other": "Let {name} lead to {host}, or remove it.",
    "fix.ptr.none": "Ask whoever gave you {address} for the PTR record {host}.",
    "fix.ptr.forward": "Publish {address} at {other}, or ask for the PTR record {host}: name and address must agree.",
    "fix.ptr.other": "Ask for the PTR record {host}: some servers want the name this server greets with.",
    "fix.listed": "Find out why at https://{site}/ and ask there for removal of {address} when the cause is mended.",
    "fix.list.refused": "{zone} does not answer this resolver; ask through one of your own ([dns] resolver).",
    "fix.probe": "Port {port} outward is closed: ask your provider to open it, or set outbound.smarthost in gk.toml.",
    "fix.probe.name": "No mail server of {host} was found to try port {port} with; name another with --probe.",
    "skip.probe": "not asked: --probe tries to reach a mail server of another network",
    "skip.list": "no public address of this server is known",
    "skip.ptr": "no public address of this server is known; give it with --address",
    "skip.spf": "no public address of this server is known; give it with --address",
}


def say(key: str, **values: object) -> str:
    """The sentence of a key."""
    return ENGLISH[key].format(**values)
