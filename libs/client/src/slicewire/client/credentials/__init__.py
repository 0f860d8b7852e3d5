"""Who is who on the bus: keys, certificates, credentials files, made and renewed in one folder, offline."""
