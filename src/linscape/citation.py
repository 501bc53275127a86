"""How to cite linscape, and the papers whose theorems it computes."""

from linscape import __version__

PAPERS = {
    "ziyin2022exact": (
        "inproceedings",
        {
            "title": "Exact Solutions of a Deep Linear Network",
            "author": "Ziyin, Liu and Li, Botao and Meng, Xiangming",
            "booktitle": "Advances in Neural Information Processing Systems 35",
            "year": "2022",
        },
    ),
    "kawaguchi2016deep": (
        "inproceedings",
        {
            "title": "Deep Learning without Poor Local Minima",
            "author": "Kawaguchi, Kenji",
            "booktitle": "Advances in Neural Information Processing Systems 29",
            "year": "2016",
        },
    ),
    "hardt2017identity": (
        "inproceedings",
        {
            "title": "Identity Matters in Deep Learning",
            "author": "Hardt, Moritz and Ma, Tengyu",
            "booktitle": "International Conference on Learning Representations",
            "year": "2017",
        },
    ),
    "achour2021loss": (
        "misc",
        {
            "title": "The loss landscape of deep linear neural networks: a second-order analysis",
            "author": "Achour, El Mehdi and Malgouyres, Fran{\\c c}ois and "
            "Gerchinovitz, S{\\'e}bastien",
            "year": "2021",
        },
    ),
    "nguegnang2021convergence": (
        "misc",
        {
            "title": "Convergence of gradient descent for learning linear neural networks",
            "author": "Nguegnang, Gabin Maxime and Rauhut, Holger and Terstiege, Ulrich",
            "year": "2021",
        },
    ),
}


def bibtex() -> str:
    """Return BibTeX of the software at this version, and of the papers.

    Examples
    --------
    >>> print(bibtex().splitlines()[0])
    @software{linscape,
    """
    software = {
        "title": "linscape: the exact loss landscape of deep linear networks",
        "author": "{The linscape developers}",
        "version": __version__,
    }
    entries = {"linscape": ("software", software), **PAPERS}
    return "\n\n".join(_entry(key, kind, fields) for key, (kind, fields) in entries.items())


def _entry(key: str, kind: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
