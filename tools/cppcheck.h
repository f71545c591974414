/* For cppcheck, which reads no system headers: what jansson's loops are. */
#define json_array_foreach(a, i, v) \
	for (i = 0; i < json_array_size(a) && (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) \
	while ((k = json_next(o)) && (v = json_object_get(o, k)))
