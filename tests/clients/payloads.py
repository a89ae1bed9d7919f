"""Payloads of the Python clients: text as str, binary as bytes."""

MIB = 1024 * 1024
TEXTS = ["hello", "🎺 fanfare 𝄞", "", "🎺" * (MIB // 4)]
BINARIES = [bytes((i * 31 + 7) % 256 for i in range(n)) for n in (0, 1, 125, 126, 65535, 65536, MIB)]
PAYLOADS = TEXTS + BINARIES
