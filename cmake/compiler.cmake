# How every target of the project is compiled.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)

set(SE_SANITIZE "" CACHE STRING "Sanitizers, as given to -fsanitize=")
option(SE_FUZZ "Build the fuzz targets (needs clang)" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(se_flags INTERFACE)
target_compile_options(se_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes
  -Wformat=2 -Wundef -Wwrite-strings -Wvla -Wno-unused-parameter -Wno-missing-field-initializers
  -fno-omit-frame-pointer -fstack-protector-strong)
target_compile_definitions(se_flags INTERFACE _GNU_SOURCE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
if(SE_SANITIZE)
  target_compile_options(se_flags INTERFACE -fsanitize=${SE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(se_flags INTERFACE -fsanitize=${SE_SANITIZE})
endif()
if(SE_FUZZ)
  target_compile_options(se_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
