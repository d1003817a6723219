// The one way to include toml++: every .cc that reads TOML does, no header does. Defined alike everywhere, because its
// inline functions are merged: errors as values, and no asserts. toml++ asserts that a table header begins with a key
// before it reports that it does not ("[ #"), and what somebody writes into a file must not end a program. For the same
// reason a text goes through check_toml_text() before it is parsed. Both were found by tests/fuzz.
#pragma once

#include "base/toml_text.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ASSERT(expr) static_cast<void>(0)
#include <toml++/toml.h>
