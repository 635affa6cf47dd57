-- Cameras that take a password within the URL.

ALTER TABLE camera_stream ADD COLUMN url_sealed TEXT;       -- the whole URL, see access_seal(); `url` is then
                                                            -- what may be shown of it, *** for its secrets
