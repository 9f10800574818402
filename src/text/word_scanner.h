// Hand-written equals of the pre-tokenizer patterns that nearly every byte-level model uses, many times faster than
// the regular-expression engine; the tests hold them against it.
#pragma once

#include <string_view>

#include "text/function_ref.h"

namespace sgpt {

/// BLOOM's pattern, in Oniguruma's syntax.
inline constexpr std::string_view kBloomPattern = " ?[^(\\s|[.,!?…。，、।۔،])]+";

/// GPT-2's pattern: what ByteLevel splits by when `use_regex` is set.
inline constexpr std::string_view kGpt2Pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/// Llama 3's, and that of Qwen2 and Qwen3, to which each digit is a word.
inline constexpr std::string_view kLlama3Pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view kQwenPattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// Calls `word` for each match and each stretch between matches, from left to right, until it returns false; then
/// returns false itself. The text is valid UTF-8.
bool scan_bloom_words(std::string_view text, FunctionRef<bool(std::string_view)> word);
bool scan_gpt2_words(std::string_view text, FunctionRef<bool(std::string_view)> word);
bool scan_llama3_words(std::string_view text, FunctionRef<bool(std::string_view)> word);
bool scan_qwen_words(std::string_view text, FunctionRef<bool(std::string_view)> word);

}  // namespace sgpt
