-- Tokens of operators, as SHA-256. Each stands for one operator, and says what the operator may do.
create table operator_tokens (
    name        text collate "C"         not null,
    token_hash  bytea                    not null,
    role        text                     not null,
    created_at  timestamp with time zone not null,
    expires_at  timestamp with time zone,
    constraint operator_tokens_pkey primary key (name),
    constraint "an operator token stands for one operator" unique (token_hash),
    constraint "an operator's name has 1 to 64 characters" check (char_length(name) between 1 and 64),
    constraint "an operator has a known role" check (role in ('read-only', 'support', 'admin'))
);

create index operator_tokens_expiry on operator_tokens (expires_at) where expires_at is not null;
