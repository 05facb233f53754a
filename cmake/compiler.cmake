# Compiler cache, linker and warnings, for every target.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the repository are hashed as relative ones, so that a fresh clone elsewhere hits the same cache.
  set(launcher "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1)
  list(APPEND launcher "CCACHE_SLOPPINESS=time_macros,include_file_mtime,include_file_ctime" "${CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-fdiagnostics-color=auto)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>)

if(DEUTERON_SANITIZER)
  add_compile_options(-fsanitize=${DEUTERON_SANITIZER} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DEUTERON_SANITIZER})
endif()

# Warnings for our own code only; engine_module() links this.
add_library(deuteron_warnings INTERFACE)
target_compile_options(deuteron_warnings INTERFACE
  -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers
  $<$<BOOL:${DEUTERON_WERROR}>:-Werror>
  # g++ 12 sees uninitialised members in maps that are being destroyed.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>)

