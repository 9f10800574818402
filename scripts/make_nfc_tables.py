#!/usr/bin/env python3
"""Makes src/text/nfc_tables.cpp: canonical decompositions and combining classes as the `tokenizers` library has them.

  pip install tokenizers==0.23.3 && scripts/make_nfc_tables.py > src/text/nfc_tables.cpp

The library itself is asked about every code point: its tables are Unicode 9.0's, older than those of its
regular-expression engine, and a mark of a later version is an ordinary character to it.
"""
import unicodedata

from tokenizers import normalizers

from unicode_tables import CODES, packed

NFC, NFD = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
HANGUL = range(0xAC00, 0xAC00 + 11172)


def table(type_name, name, items):
    print("const %s %s[] = {\n%s\n};\nconst std::size_t %sSize = std::size(%s);\n" % (type_name, name, packed(items),
                                                                                      name, name))


def swaps(left, right):
    """Whether the class of the left one is the higher, and neither is 0."""
    return NFD("a" + left + right) != "a" + left + right


def classes(decomposed):
    """{code: combining class}, where it is not 0."""
    tilde, iota = "\u0334", "\u0345"  # the lowest class, 1, and the highest, 240
    whole = [chr(c) for c in CODES if chr(c) not in decomposed and c not in HANGUL]
    marks = [c for c in whole if swaps(c, tilde) or swaps(iota, c)]
    known = {unicodedata.combining(c): c for c in marks}
    for c in marks:
        value = unicodedata.combining(c)
        assert value and not swaps(c, known[value]) and not swaps(known[value], c), hex(ord(c))
    order = [known[value] for value in sorted(known)]
    assert all(swaps(b, a) for a, b in zip(order, order[1:]))
    return {ord(c): unicodedata.combining(c) for c in marks}


def main():
    decomposed = {chr(c): NFD(chr(c)) for c in CODES if c not in HANGUL and NFD(chr(c)) != chr(c)}
    by_parts = {parts: c for c, parts in sorted(decomposed.items(), reverse=True)}
    both, one_way = [], []
    for c, parts in sorted(decomposed.items()):
        back = NFC(c) == c
        if len(parts) == 1:
            assert not back
            one_way.append((c, parts, "\0"))
            continue
        first = parts[0] if len(parts) == 2 else NFC(parts[:-1]) if back else by_parts[parts[:-1]]
        assert len(first) == 1
        assert (NFC(first + parts[-1]) == c) == back
        (both if back else one_way).append((c, first, parts[-1]))
    combining = classes(decomposed)
    for c, parts in decomposed.items():
        assert ord(c) not in combining
    runs = []
    for code in range(0x110000):
        value = combining.get(code, 0)
        if not runs or runs[-1][1] != value:
            runs.append((code, value))
    print("""\
// Unicode 9.0 as the `tokenizers` library has it for its normalizers. Made by scripts/make_nfc_tables.py; not to be
// edited.
#include "text/nfc_tables.h"

#include <iterator>

namespace sgpt {

// clang-format off
""")
    triple = lambda entry: "{0x%X, 0x%X, 0x%X}" % tuple(map(ord, entry))
    table("Decomposition", "kCompositions", map(triple, both))
    table("Decomposition", "kOneWayDecompositions", map(triple, one_way))
    table("CodeRun", "kCombiningRuns", ("{0x%X, %d}" % run for run in runs))
    print("// clang-format on\n\n}  // namespace sgpt")


main()
