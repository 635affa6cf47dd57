# cmake -DROOT=DIR -P check_includes.cmake
#
# Reads every #include below DIR and refuses those that go up the floors of the house
# (ARCHITECTURE.md), reach into another module's private headers, or bring a library
# into a room that is not its own. Prints file:line and the rule for each.
cmake_minimum_required(VERSION 3.25)

# Lowest first: a module may include its own and lower ones' public headers.
set(floors base gateway ingest events api cli)

# Library headers, and the folder that alone may include them.
set(library_rooms
  "^sqlite3[.]h$|gateway/store"
  "^microhttpd[.]h$|api"
  "^(libav|libsw|libpostproc|gst/)|ingest"
  "^curl/|ingest/av"
  "^geos|events")

set(finding_count 0)

# The line of the first occurrence of text in a file.
function(line_of file text ret_line)
  file(READ ${file} content)
  string(FIND "${content}" "${text}" at)
  string(SUBSTRING "${content}" 0 ${at} before)
  string(REGEX MATCHALL "\n" newlines "${before}")
  list(LENGTH newlines count)
  math(EXPR count "${count} + 1")
  set(${ret_line} ${count} PARENT_SCOPE)
endfunction()

macro(report rule)
  line_of(${file} "${line}" number)
  file(RELATIVE_PATH shown ${ROOT} ${file})
  message(NOTICE "${shown}:${number}: ${included}: ${rule}")
  math(EXPR finding_count "${finding_count} + 1")
endmacro()

# The module a file belongs to.
function(module_of rel ret_module)
  if(rel MATCHES "^gateway/base/")
    set(module base)
  elseif(rel MATCHES "^gateway/cli/" OR rel STREQUAL "gateway/main.c")
    set(module cli)
  else()
    string(REGEX REPLACE "/.*" "" module ${rel})
  endif()
  set(${ret_module} ${module} PARENT_SCOPE)
endfunction()

function(module_dir module ret_dir)
  if(module STREQUAL base)
    set(dir gateway/base)
  elseif(module STREQUAL cli)
    set(dir gateway/cli)
  else()
    set(dir ${module})
  endif()
  set(${ret_dir} ${ROOT}/${dir} PARENT_SCOPE)
endfunction()

# "…": a public header of this or a lower module, or a private one of this module.
macro(check_quoted)
  string(REGEX REPLACE "/.*" "" owner "${included}")
  list(FIND floors "${owner}" owner_floor)
  module_dir(${module} own_dir)
  get_filename_component(beside ${file} DIRECTORY)
  module_dir("${owner}" owner_dir)

  if(owner STREQUAL "cli" OR included MATCHES "^gateway/(cli|main)")
    if(NOT module STREQUAL "cli")
      report("nothing may include the composition root (gateway/cli, main.c)")
    endif()
  elseif(owner_floor GREATER -1 AND EXISTS ${owner_dir}/include/${included})
    if(owner_floor GREATER floor)
      report("${module} may not use ${owner}, which is a floor above it")
    endif()
  elseif(NOT EXISTS ${beside}/${included} AND NOT EXISTS ${own_dir}/${included}
         AND NOT EXISTS ${own_dir}/include/${included})
    report("not a public header of ${module} or a module below it, nor a private one of ${module}")
  elseif(EXISTS ${own_dir}/${included} AND included MATCHES "^include/")
    report("public headers are included by their name, without include/")
  elseif(module STREQUAL "gateway" AND included MATCHES "^(base|cli)/")
    report("gateway/base and gateway/cli are modules of their own: not a public header of theirs")
  endif()
endmacro()

macro(check_library)
  foreach(row ${library_rooms})
    string(REGEX REPLACE "[|][^|]*$" "" pattern "${row}")
    string(REGEX REPLACE "^.*[|]" "" room "${row}")
    if(included MATCHES "${pattern}" AND NOT rel MATCHES "^${room}/")
      report("only ${room}/ may use this library")
    endif()
  endforeach()
endmacro()

foreach(top gateway ingest events api tests)
  file(GLOB_RECURSE files ${ROOT}/${top}/*.c ${ROOT}/${top}/*.h)
  list(FILTER files EXCLUDE REGEX "/node_modules/")
  foreach(file ${files})
    file(RELATIVE_PATH rel ${ROOT} ${file})
    module_of(${rel} module)
    list(FIND floors ${module} floor)
    file(STRINGS ${file} lines REGEX "^[ \t]*#[ \t]*include[ \t]*[\"<]")
    foreach(line ${lines})
      string(REGEX REPLACE "^[^\"<]*[\"<]([^\">]*)[\">].*$" "\\1" included "${line}")
      if(included MATCHES "(^|/)[.][.]/")
        report("no ../ in an include: use the public header, or move the file")
      elseif(NOT top STREQUAL "tests")
        if(line MATCHES "include[ \t]*\"")
          check_quoted()
        endif()
        check_library()
      endif()
    endforeach()
  endforeach()
endforeach()

if(finding_count GREATER 0)
  message(FATAL_ERROR "${finding_count} include(s) break the order of the house; see ARCHITECTURE.md, \"The floors\"")
endif()
