"""What people and agents write: draws from two disjoint vocabularies, so that how alike two texts are is known beforehand."""

from random import Random

_DRAFT = """
thank you for writing we have looked into your order and the refund is on its way please allow five working days until it
shows our team checked the invoice again this amount matches what was charged for the second delivery if anything else is
missing reply to this message with the number printed on label so that colleagues can trace parcel quickly account stays
open meanwhile subscription continues under same terms as before kind regards support desk happy help further questions
policy covers damaged goods within thirty days receipt bank may take longer over holidays
"""
_OWN = """
hello sorry about that mistake nobody should wait three weeks i called warehouse myself they found package behind shelf
today driver brings it tomorrow before noon no need send anything back keep replacement free charge my direct line extension
forty two ask for me personally because previous answer wrong article described another product entirely manager agreed
goodwill credit ten percent next purchase also fixed address typo note saved
"""
DRAFT_WORDS = sorted(set(_DRAFT.split()))
OWN_WORDS = sorted(set(_OWN.split()) - set(DRAFT_WORDS))


def draft(random: Random) -> str:
    """What an agent would write."""
    return " ".join(random.choices(DRAFT_WORDS, k=random.randint(20, 32)))


def touched_up(text: str, random: Random) -> str:
    """The text with up to a quarter of its words replaced: similarity 0.75 or more."""
    words = text.split()
    for place in random.sample(range(len(words)), random.randint(1, len(words) // 4)):
        words[place] = random.choice(OWN_WORDS)
    return " ".join(words)


def own(random: Random) -> str:
    """What a person writes from scratch: shares no word with any draft."""
    return " ".join(random.choices(OWN_WORDS, k=random.randint(14, 26)))


def request(random: Random) -> str:
    """What a customer asks."""
    return " ".join(random.choices(OWN_WORDS, k=random.randint(8, 20)))
