-- The provider's database with one zone, as it is when a customer has just registered.
.read /usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
insert into domains (id, name, type) values (1, 'example.org', 'NATIVE');
insert into records (domain_id, name, type, ttl, content) values
    (1, 'example.org', 'SOA', 3600, 'ns1.example.org hostmaster.example.org 1 3600 600 86400 1'),
    (1, 'example.org', 'NS', 3600, 'ns1.example.org'),
    (1, 'example.org', 'NS', 3600, 'ns2.example.org');
-- Each update makes the serial number of the zone greater by one: whoever asks for it can count them.
insert into domainmetadata (domain_id, kind, content) values (1, 'SOA-EDIT-API', 'INCREASE');
