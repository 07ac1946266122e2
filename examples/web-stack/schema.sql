-- Each statement may be run again.
create table if not exists visits (at timestamptz not null default now(), path text not null);
create table if not exists results (job text primary key, worker int not null, length int not null);
