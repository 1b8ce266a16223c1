"""Where arrays and programs lie: meshes, many processes, compiled programs."""
