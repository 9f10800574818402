// Regular expressions whose classes do not depend on the engine's tables.
#pragma once

#include <string>
#include <string_view>

namespace sgpt {

/// The same pattern (Oniguruma's syntax) with its classes written out as ranges of code points, from our own tables:
/// \s \d \w, \p{…}, [:…:], the negations of all these, and the word boundaries \b and \B. Throws UserError naming what
/// depends on Unicode's version and is not in our tables: other properties, \X, \y, and the options W, D, S, P.
std::string with_own_classes(std::string_view pattern);

}  // namespace sgpt
