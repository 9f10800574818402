#!/usr/bin/env python3
"""Makes src/text/character_tables.cpp: Unicode's categories and scripts as the `tokenizers` library has them.

  pip install tokenizers==0.23.3 fonttools && scripts/make_character_tables.py > src/text/character_tables.cpp

The library itself is asked, over all code points, so that the tables are those of its regular-expression engine
(Oniguruma 6.9.10, Unicode 16.0); fonttools knows the names of the scripts.
"""
import fontTools.unicodedata.Scripts
from tokenizers import Regex, pre_tokenizers

from unicode_tables import CODES, packed

TEXT = "".join(map(chr, CODES))
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()


def members(pattern):
    """The code points that a pattern of one character matches."""
    result = set(CODES)
    for _, (begin, end) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(TEXT):
        result.difference_update(CODES[begin:end])
    return result


def known(name):
    try:
        pre_tokenizers.Split(Regex(r"\p{%s}" % name), "removed")
        return True
    except Exception:
        return False


def runs(values):
    """(first code point, value) of each stretch of equal values."""
    result = []
    for code, value in enumerate(values):
        if not result or result[-1][1] != value:
            result.append((code, value))
    return result


def partition(type_name, name, sets):
    values = [len(sets)] * 0x110000
    for i, codes in enumerate(sets):
        for code in codes:
            values[code] = i
    for code in range(0xD800, 0xE000):
        values[code] = values[0xD800]
    items = ["{0x%X, %d}" % run for run in runs(values)]
    return "const %s %s[] = {\n%s\n};\nconst std::size_t %sSize = std::size(%s);" % (
        type_name, name, packed(items), name, name)


def ranges(name, codes):
    items = []
    first = None
    for code in sorted(codes):
        if first is not None and code == last + 1:
            last = code
            continue
        if first is not None:
            items.append("{0x%X, 0x%X}" % (first, last))
        first = last = code
    items.append("{0x%X, 0x%X}" % (first, last))
    return "const CodeRange %s[] = {\n%s\n};\nconst std::size_t %sSize = std::size(%s);" % (
        name, packed(items), name, name)


def main():
    sets = {name: members(r"\p{%s}" % name) for name in CATEGORIES}
    assert sum(map(len, sets.values())) == len(CODES)
    union = lambda *names: set().union(*(sets[name] for name in names))
    letters = union("Lu", "Ll", "Lt", "Lm", "Lo")
    marks = union("Mn", "Mc", "Me")
    alphabetic, upper, lower = (members("[[:%s:]]" % name) for name in ("alpha", "upper", "lower"))
    other = lambda codes, base: (codes - base, base - codes)
    other_alphabetic, missing = other(alphabetic, letters | sets["Nl"])
    assert not missing
    other_upper, missing = other(upper, sets["Lu"])
    assert not missing
    other_lower, missing = other(lower, sets["Ll"])
    assert not missing
    # What character_class.cpp and pattern.cpp build from these.
    assert members("[[:word:]]") == alphabetic | marks | sets["Nd"] | sets["Pc"]
    assert members(r"\w") == members("[[:word:]]") | {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE}
    assert members("[[:alnum:]]") == alphabetic | sets["Nd"]
    assert members("[[:punct:]]") == union("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So")
    assert members(r"\s") == union("Zs", "Zl", "Zp") | {9, 10, 11, 12, 13, 0x85} == members("[[:space:]]")
    assert members("[[:blank:]]") == sets["Zs"] | {9}
    assert members("[[:graph:]]") == set(CODES) - union("Zs", "Zl", "Zp", "Cc", "Cn")
    assert members("[[:print:]]") == members("[[:graph:]]") | sets["Zs"]
    assert members("[[:cntrl:]]") == sets["Cc"] and members("[[:digit:]]") == sets["Nd"]

    scripts = sorted(set(fontTools.unicodedata.Scripts.NAMES.values()) - {"Unknown", "Katakana_Or_Hiragana"})
    scripts = [name for name in scripts if known(name)]
    script_sets = [members(r"\p{%s}" % name) for name in scripts]
    print("""\
// Unicode 16.0 as the `tokenizers` library has it. Made by scripts/make_character_tables.py; not to be edited.
#include "text/character_tables.h"

#include <iterator>

namespace sgpt {

// clang-format off
""")
    names = packed('"%s"' % name for name in CATEGORIES)
    print("const std::string_view kCategoryNames[] = {\n%s\n};\n" % names)
    print(partition("CodeRun", "kCategoryRuns", sets.values()) + "\n")
    print(ranges("kOtherAlphabetic", other_alphabetic) + "\n")
    print(ranges("kOtherUppercase", other_upper) + "\n")
    print(ranges("kOtherLowercase", other_lower) + "\n")
    names = packed('"%s"' % name for name in scripts)
    print("const std::string_view kScriptNames[] = {\n%s\n};" % names)
    print("const std::size_t kScriptCount = std::size(kScriptNames);\n")
    print(partition("CodeRun", "kScriptRuns", script_sets) + "\n")
    print("// clang-format on\n\n}  // namespace sgpt")


main()
