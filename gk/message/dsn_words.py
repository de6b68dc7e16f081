"""What a report says to a person, in English and in French: what happened, why in plain words, what can be done.

The reason is chosen by the enhanced status code (RFC 3463, RFC 7372, RFC 7505, RFC 8689), never by what a server wrote.
Both languages are always there; French comes first, in the subject too, where the message reported on says that it is
French (Content-Language, RFC 3282 §2: the first language named).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gk.message.fields import read_fields

HEAD = 64 << 10  # octets of a header in which the language is looked for

_FIRST = re.compile(rb"[\s,]*([A-Za-z]{1,8})(?=[-\s,;(]|\Z)")


@dataclass(frozen=True, slots=True)
class Language:
    """All sentences of one language: `subjects` and `headings` by what happened, `reasons` by two details of a code."""

    subjects: Mapping[str, str]
    headings: Mapping[str, str]
    opening: str
    said: str
    more: str
    reasons: Mapping[str, str]

    def reason(self, status: str) -> str:
        """Why, by a status like 5.1.1: the code itself, else its subject; "" where it says nothing."""
        _, _, detail = status.partition(".")
        return self.reasons.get(detail) or self.reasons.get(detail.partition(".")[0], "")


ENGLISH = Language(
    {
        "failed": "Your message could not be delivered",
        "delayed": "Your message is delayed",
        "delivered": "Your message was delivered",
        "relayed": "Your message was passed on",
    },
    {
        "failed": "Your message could not be delivered to:",
        "delayed": "Your message has not been delivered yet. The server goes on trying; you need not send it again. "
        "Waiting for:",
        "delivered": "Your message was delivered to:",
        "relayed": "Your message was passed on to a server that sends no confirmation, for:",
    },
    "This is the mail server at {}.",
    "The other server said:",
    "and {} more",
    {
        "1": "Something is wrong with this address; check how it is spelled.",
        "1.1": "There is no such address; check how it is spelled.",
        "1.2": "The part behind the @ does not exist; check how it is spelled.",
        "1.6": "This address is no longer in use; ask for the new one by other means.",
        "1.8": "The server there does not accept your own address as a sender.",
        "1.10": "This domain takes no mail at all.",
        "2": "The mailbox there cannot take the message.",
        "2.1": "The mailbox there is closed.",
        "2.2": "The mailbox there is full.",
        "2.3": "The message is larger than the mailbox there takes; send less at once.",
        "3.4": "The message is larger than the server there takes; send less at once.",
        "4": "The server there could not be reached.",
        "4.4": "No mail server was found for this domain.",
        "4.6": "The mail would come back to this server; its administrator must look at it.",
        "4.7": "The server there could not be reached, or did not take the message, in all the time it was tried.",
        "5.3": "The message has too many recipients for the server there.",
        "6": "The server there cannot handle the form of the message.",
        "6.7": "The server there takes no addresses with letters beyond A to Z.",
        "7": "The server there does not want the message: it is against its rules.",
        "7.5": "The connection could not be protected as the domain demands.",
        "7.10": "You asked for a protected delivery, and the server there cannot give it.",
        "7.20": "The server there could not verify that the message is yours.",
        "7.23": "The server there doubts that your domain sends mail from here (SPF).",
        "7.25": "The server there doubts this server: its address has no matching name.",
        "7.26": "The server there could not verify that the message is yours.",
        "7.30": "You asked for a protected delivery, and the server there cannot give it.",
    },
)

FRENCH = Language(
    {
        "failed": "Votre message n'a pas pu être remis",
        "delayed": "Votre message est retardé",
        "delivered": "Votre message a été remis",
        "relayed": "Votre message a été transmis",
    },
    {
        "failed": "Votre message n'a pas pu être remis à :",
        "delayed": "Votre message n'a pas encore été remis. Le serveur continue d'essayer ; inutile de le renvoyer. "
        "En attente pour :",
        "delivered": "Votre message a été remis à :",
        "relayed": "Votre message a été transmis à un serveur qui n'envoie pas de confirmation, pour :",
    },
    "Ceci est le serveur de messagerie {}.",
    "L'autre serveur a dit :",
    "et {} de plus",
    {
        "1": "Cette adresse pose problème ; vérifiez son orthographe.",
        "1.1": "Cette adresse n'existe pas ; vérifiez son orthographe.",
        "1.2": "La partie après le @ n'existe pas ; vérifiez son orthographe.",
        "1.6": "Cette adresse ne sert plus ; demandez la nouvelle par un autre moyen.",
        "1.8": "Le serveur distant n'accepte pas votre propre adresse comme expéditeur.",
        "1.10": "Ce domaine ne reçoit aucun courrier.",
        "2": "La boîte du destinataire ne peut pas recevoir le message.",
        "2.1": "La boîte du destinataire est fermée.",
        "2.2": "La boîte du destinataire est pleine.",
        "2.3": "Le message est trop grand pour la boîte du destinataire ; envoyez-en moins à la fois.",
        "3.4": "Le message est trop grand pour le serveur distant ; envoyez-en moins à la fois.",
        "4": "Le serveur distant n'a pas pu être joint.",
        "4.4": "Aucun serveur de messagerie n'a été trouvé pour ce domaine.",
        "4.6": "Le message reviendrait à ce serveur ; son administrateur doit s'en occuper.",
        "4.7": "Pendant tout le temps des essais, le serveur distant est resté injoignable ou n'a pas pris le message.",
        "5.3": "Le message a trop de destinataires pour le serveur distant.",
        "6": "Le serveur distant ne sait pas traiter la forme du message.",
        "6.7": "Le serveur distant ne prend que des adresses aux lettres de A à Z.",
        "7": "Le serveur distant ne veut pas du message : il est contraire à ses règles.",
        "7.5": "La connexion n'a pas pu être protégée comme le domaine l'exige.",
        "7.10": "Vous avez demandé une remise protégée, que le serveur distant n'offre pas.",
        "7.20": "Le serveur distant n'a pas pu vérifier que le message est de vous.",
        "7.23": "Le serveur distant doute que votre domaine envoie du courrier d'ici (SPF).",
        "7.25": "Le serveur distant doute de ce serveur : son adresse n'a pas de nom qui lui corresponde.",
        "7.26": "Le serveur distant n'a pas pu vérifier que le message est de vous.",
        "7.30": "Vous avez demandé une remise protégée, que le serveur distant n'offre pas.",
    },
)


def languages(header: bytes) -> tuple[Language, Language]:
    """Both languages, that of the message first: French where its header says so, else English."""
    named = _FIRST.match(read_fields(header[:HEAD]).get(b"content-language", b""))
    return (FRENCH, ENGLISH) if named and named[1].lower() in (b"fr", b"fra", b"fre") else (ENGLISH, FRENCH)
