# Run by cpack with the packages made: the one of the shared library gets what Debian's policy wants and cpack does not
# know: a trigger instead of scripts that call ldconfig, and which version of the library has which function, so that
# packages of programs depend on it.
set(package libslbsr${CPACK_SLBSR_SOVERSION})
set(soname libslbsr.so.${CPACK_SLBSR_SOVERSION})
set(depends "${soname} ${package} #MINVER#\n* Build-Depends-Package: libslbsr-dev\n")
list(FILTER CPACK_PACKAGE_FILES INCLUDE REGEX "/${package}_[^/]*\\.deb$")
set(root ${CPACK_TEMPORARY_DIRECTORY}/${package})
execute_process(COMMAND dpkg-deb --raw-extract ${CPACK_PACKAGE_FILES} ${root} COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE library ${root}/usr/lib/${soname}.*)
execute_process(COMMAND ${CPACK_SLBSR_NM} -D --defined-only --format=posix ${library} OUTPUT_VARIABLE names
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "slbsr_[a-z0-9_]+" names "${names}")
list(SORT names)
foreach(name ${names})
  string(APPEND depends " ${name}@Base ${CPACK_SLBSR_SOVERSION}.0\n")
endforeach()
file(WRITE ${root}/DEBIAN/symbols "${depends}")
file(WRITE ${root}/DEBIAN/shlibs "libslbsr ${CPACK_SLBSR_SOVERSION} ${package} (>= ${CPACK_PACKAGE_VERSION})\n")
file(WRITE ${root}/DEBIAN/triggers "activate-noawait ldconfig\n")
file(REMOVE ${root}/DEBIAN/postinst ${root}/DEBIAN/postrm)
execute_process(COMMAND dpkg-deb --root-owner-group --build ${root} ${CPACK_PACKAGE_FILES} OUTPUT_QUIET
                COMMAND_ERROR_IS_FATAL ANY)
