"""What the scripts that make tables of Unicode share."""
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def packed(items):
    """Lines of at most 120 characters."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 120:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(lines + [line])
