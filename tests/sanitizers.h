// Whether AddressSanitizer watches the tests. It keeps freed memory back for a while and notes on all the rest: what a
// program takes cannot be measured then.
#pragma once

namespace sgpt::testing {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool kAddressSanitizer = false;
#endif

}  // namespace sgpt::testing
