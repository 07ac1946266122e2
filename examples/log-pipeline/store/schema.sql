-- Each line once: its key is made of where it stands in which file, so a line that is sent again is there already.
create table if not exists lines (
    id text primary key,
    at timestamptz not null default now(),
    instance text not null,
    line text not null,
    words tsvector generated always as (to_tsvector('simple', line)) stored
);
create index if not exists lines_words on lines using gin (words);
create index if not exists lines_at on lines (at);

-- Who sends lines can do nothing else, and who reads them cannot write.
do $$
begin
    if not exists (select from pg_roles where rolname = 'shipper') then
        create role shipper login;
        create role reader login;
    end if;
end
$$;
grant insert on lines to shipper;
grant select on lines to reader;
