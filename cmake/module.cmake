# se_module(NAME [SOURCES generated.c] USES lower modules LIBS external targets)
#
# One static library per module. Public headers live in include/<name>/ and are
# all that another module can see; private headers lie beside the sources.
function(se_module name)
  cmake_parse_arguments(M "" "" "SOURCES;USES;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(FILTER sources EXCLUDE REGEX "${CMAKE_CURRENT_SOURCE_DIR}/(base|cli|console)/|/main\\.c$")
  add_library(se_${name} STATIC ${sources} ${M_SOURCES})
  target_include_directories(se_${name}
    PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(lower ${M_USES})
    target_link_libraries(se_${name} PUBLIC se_${lower})
  endforeach()
  target_link_libraries(se_${name} PRIVATE se_flags PUBLIC ${M_LIBS} Threads::Threads)
  se_check_headers(${name})
endfunction()

# Every public header must compile alone.
function(se_check_headers name)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
  set(units "")
  foreach(header ${headers})
    file(RELATIVE_PATH rel ${CMAKE_CURRENT_SOURCE_DIR}/include ${header})
    string(MAKE_C_IDENTIFIER ${rel} id)
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/header_check/${id}.c)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${rel}\"\nint header_check_${id};\n" @ONLY)
    set_source_files_properties(${unit} PROPERTIES COMPILE_OPTIONS "-Wno-missing-prototypes")
    list(APPEND units ${unit})
  endforeach()
  if(units)
    add_library(se_${name}_headers OBJECT ${units})
    target_link_libraries(se_${name}_headers PRIVATE se_flags se_${name})
  endif()
endfunction()
