"""What fraud and unasked-for advertising say, in English and French: of a family, several phrases must occur."""

from gk.inbound.spam.rule import Around, Found, rule
from gk.inbound.spam.seen import Seen

# Phrases as they read in lower case, between single blanks; they begin and end where words do.
FAMILIES: dict[str, tuple[float, int, str]] = {
    "advance_fee": (2.5, 2, """
        next of kin|late client|late husband|late father|million dollars|million us dollars
        million united states dollars|million euros|inheritance|bank of africa|bank of nigeria|transfer of the funds
        transfer of this fund|foreign partner|the sum of|confidential business|business proposal|beneficiary
        donation to you|diplomat|compensation fund|god bless|strictly confidential|your urgent response|héritage
        millions d'euros|million d'euros|légataire|feu mon mari|feu mon père|transfert de fonds|bénéficiaire
        compte en banque|au nom de dieu|faire un don|très confidentiel"""),
    "account_threat": (2.0, 2, """
        verify your account|verify your identity|verify your email|account has been suspended
        account will be suspended|account has been limited|account has been locked|account will be closed
        account will be deactivated|unusual activity|unusual sign-in|unusual login|confirm your account
        confirm your identity|confirm your password|confirm your details|mailbox is full|mailbox is almost full
        storage is full|quota exceeded|password expires|password will expire|password is about to expire
        update your payment|update your billing|within 24 hours|within 48 hours|within 72 hours|click here
        click below|click the link|click on the link|avoid suspension|avoid closure|keep current password
        votre compte a été suspendu|votre compte sera suspendu|votre compte est suspendu|votre compte a été bloqué
        votre compte sera bloqué|votre compte est bloqué|votre compte a été limité|votre compte a été désactivé
        vérifiez votre compte|vérifier votre compte|vérifier votre identité|confirmez votre compte
        confirmer votre identité|confirmez vos informations|confirmer vos informations|confirmez vos coordonnées
        activité inhabituelle|mettre à jour vos informations|mettre à jour vos coordonnées|moyen de paiement
        sous 24h|sous 24 heures|sous 48h|sous 48 heures|cliquez ici|cliquez sur le lien|cliquez ci-dessous
        boîte mail est pleine|boîte aux lettres est pleine|mot de passe expire|mot de passe va expirer"""),
    "parcel": (1.8, 2, """
        your parcel|your package|your shipment|delivery attempt|delivery failed|delivery fee|customs fee
        customs duty|customs charge|customs charges|reschedule your delivery|reschedule delivery|votre colis
        frais de douane|frais de livraison|frais de port|livraison a échoué|livraison échouée
        en attente de livraison|en attente de paiement|reprogrammer|point relais|shipping fee|track your package"""),
    "extortion": (4.0, 2, """
        your webcam|your camera|recorded a video|recorded you|in bitcoin|in bitcoins|of bitcoin|btc wallet
        bitcoin wallet|bitcoin address|i hacked|i have hacked|i have infected|all your contacts|adult site
        adult sites|adult content|votre webcam|votre caméra|j'ai piraté|j'ai infecté|en bitcoin|en bitcoins
        portefeuille bitcoin|tous vos contacts|site pour adultes|sites pour adultes|sites adultes"""),
    "prize": (2.0, 2, """
        you have won|you've won|you won|have been selected|been selected|lottery|claim your|congratulations
        gift card|free gift|winner|winning number|vous avez gagné|vous avez été sélectionné|vous avez été tiré
        loterie|félicitations|carte cadeau|réclamez|gagnant|heureux gagnant|cadeau offert|cadeau gratuit"""),
    "easy_money": (1.8, 2, """
        work from home|work at home|working from home|extra income|financial freedom|no experience|no risk|risk free
        risk-free|no obligation|earn up to|investment opportunity|guaranteed return|guaranteed returns
        guaranteed profit|guaranteed income|trading platform|trading bot|be your own boss|double your|lowest rates
        lower rates|low rates|mortgage rates|refinance|refinancing|debt consolidation|consolidate your
        get out of debt|credit repair|make money|home based business|multi level marketing|mlm|free info|toll free
        call now|act now|order now|limited time|money back guarantee|money-back guarantee|revenu complémentaire
        revenus complémentaires|revenus passifs|travail à domicile|travailler chez vous|sans risque|gagnez
        rendement garanti|prêt rapide|prêt entre particuliers|rachat de crédit|rachat de crédits|offre limitée
        offre exclusive|devenez riche"""),
    "pills": (2.5, 1, """
        viagra|v1agra|vi@gra|cialis|c1alis|levitra|penis|enlarge your|lose weight fast|human growth hormone|hgh
        online pharmacy|no prescription|weight loss|burn fat|burns fat|herbal|perdre du poids rapidement
        pharmacie en ligne|sans ordonnance|brûle-graisse"""),
    "adult": (2.5, 2, """
        xxx|hot girls|hot babes|hot singles|teen|teens|porn|porno|adult dating|adult video|adult site|live sex
        webcam girls|must be 18|over 18|horny|nude|rencontre coquine|rencontres coquines|plan cul|femmes chaudes
        femmes célibataires"""),
    "unasked_list": (1.0, 2, """
        opt-in|opt in|opted in|removed from our|removed from this|removed from the|remove yourself|this is not spam
        bulk email|bulk e-mail|one time mailing|one-time mailing|million email addresses|million e-mail addresses
        to be removed|s. 1618|this message is sent in compliance|if you wish to be removed|wish to be removed
        no longer wish to receive|received this email in error|se désabonner de cette liste"""),
}  # fmt: skip


def _family(name: str, points: float, least: int, listed: str) -> None:
    phrases = [f" {phrase.strip()} " for phrase in listed.replace("\n", "|").split("|") if phrase.strip()]
    by_word: dict[str, list[str]] = {}  # by the longest word of a phrase: most messages have none of them
    for phrase in phrases:
        by_word.setdefault(max(phrase.split(), key=len), []).append(phrase)
    telling = frozenset(by_word)

    def find(seen: Seen, around: Around) -> Found:
        said = [
            phrase.strip() for word in telling & seen.vocabulary for phrase in by_word[word] if phrase in seen.words
        ]
        return ("it says " + ", ".join(f"«{words}»" for words in sorted(said)[:4])) if len(said) >= least else None

    find.__doc__ = f"Phrases of the family {name}."
    rule(name, points)(find)


for _name, _parts in FAMILIES.items():
    _family(_name, *_parts)
