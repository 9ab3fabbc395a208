"""The dev split that IMDb's recipes are chosen by shares no film with what is trained on."""

from benchmarks.film_split import films, split
from pipelines.examples import Example


def reviews_of_films(count: int, each: int) -> list[Example]:
    """`each` reviews a film, which name its two players; half of them negative."""
    players = [(f"Kar{'a' * film}n", f"Lor{'o' * film}x") for film in range(count)]
    return [
        Example(f"I saw {one} with {other}, for the {i}th time.", None, ("pos", "neg")[i % 2])
        for one, other in players
        for i in range(each)
    ]


def test_reviews_that_share_two_names_are_of_one_film() -> None:
    same = films(
        [
            "What Streep does with Redford here is fine.",
            "I did not care for Redford, nor for Streep.",
            "Only Streep is in it.",
            "A film of Rain, in the rain, with Streep; all that rain, and then rain again.",
            "The end of Rain is the best of all.",
        ]
    )
    assert same == [[1], [0], [], [], []]


def test_a_name_that_is_everywhere_says_nothing() -> None:
    assert films(["So then Hollywood met Oscar."] * 41) == [[]] * 41
    assert films(["So then Hollywood met Oscar."] * 3) == [[1, 2], [0, 2], [0, 1]]


def test_no_film_is_on_both_sides_and_labels_are_even() -> None:
    examples = reviews_of_films(count=60, each=6)
    train, dev = split(examples)
    film_of = [i // 6 for i in range(len(examples))]
    dev_films = {film_of[i] for i in dev}
    assert len(dev) == len(examples) / 4
    assert train == [i for i, film in enumerate(film_of) if film not in dev_films] != []
    labels = [examples[i].label for i in dev]
    assert labels.count("pos") == labels.count("neg")
